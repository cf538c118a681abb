#include "common/codec/car.h"

#include "common/codec/cbor_cursor.h"
#include "common/codec/varint.h"

namespace ica {

namespace {

// Bytes of a link's tag, lengths and shortest CID: no header can have more roots than fit at this.
constexpr size_t kSmallestRoot = 8;

Result<std::vector<Cid>> parse_header(BytesView header) {
  CborCursor in(header);
  TRY(const uint64_t pairs, in.map());
  std::vector<Cid> roots;
  bool have_roots = false;
  uint64_t version = 0;
  for (uint64_t i = 0; i < pairs; ++i) {
    TRY(const BytesView key, in.text());
    if (key == "version" && version == 0) {
      TRY(version, in.unsigned_integer());
      if (version != 1) {
        return fail(Code::InvalidArgument, "invalid car version: {}", version);
      }
    } else if (key == "roots" && !have_roots) {
      TRY(const uint64_t count, in.array());
      if (count > header.size() / kSmallestRoot) {
        return fail(Code::InvalidArgument, "more roots than the header has room for");
      }
      roots.reserve(count);
      for (uint64_t k = 0; k < count; ++k) {
        TRY(Cid root, in.link());
        roots.push_back(std::move(root));
      }
      have_roots = true;
    } else {
      return fail(Code::InvalidArgument, "unexpected key in the header");
    }
  }
  if (version == 0) {
    return fail(Code::InvalidArgument, "invalid car version: 0");
  }
  if (!have_roots || !in.at_end()) {
    return fail(Code::InvalidArgument, "not a car header");
  }
  return roots;
}

}  // namespace

void CarReader::push(BytesView data) {
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  } else if (at_ > buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(data);
}

Result<std::optional<BytesView>> CarReader::take(size_t limit) {
  const BytesView rest = BytesView(buffer_).substr(at_);
  uint64_t length = 0;
  size_t prefix = 0;
  switch (peek_varint(rest, length, prefix)) {
    case VarintState::Incomplete:
      return std::nullopt;
    case VarintState::Invalid:
      return fail(Code::InvalidArgument, "malformed car: bad length");
    case VarintState::Complete:
      break;
  }
  if (length > limit) {
    return fail(Code::TooLarge, "malformed car: a part of {} bytes is over the limit of {}", length,
                limit);
  }
  if (rest.size() - prefix < length) {
    return std::nullopt;
  }
  at_ += prefix + length;
  return rest.substr(prefix, length);
}

Result<std::optional<CarBlock>> CarReader::next() {
  if (!have_header_) {
    TRY(const std::optional<BytesView> header, take(limits_.header_bytes));
    if (!header.has_value()) {
      return std::nullopt;
    }
    auto roots = parse_header(*header);
    if (!roots.has_value()) {
      return fail(roots.error().code(), "invalid header: {}", roots.error().message());
    }
    roots_ = std::move(*roots);
    have_header_ = true;
  }
  TRY(const std::optional<BytesView> section, take(limits_.section_bytes));
  if (!section.has_value()) {
    return std::nullopt;
  }
  BytesView data = *section;
  TRY(Cid cid, Cid::read_prefix(data));
  return CarBlock{std::move(cid), Bytes(data)};
}

Status CarReader::finish() const {
  const BytesView rest = BytesView(buffer_).substr(at_);
  uint64_t length = 0;
  size_t prefix = 0;
  if (!have_header_ &&
      (rest.empty() ||
       (peek_varint(rest, length, prefix) == VarintState::Complete && prefix == rest.size()))) {
    return fail(Code::InvalidArgument, "EOF");  // as go-car says when not a byte of it is there
  }
  if (!have_header_ || !rest.empty()) {
    return fail(Code::InvalidArgument, "unexpected EOF");
  }
  return {};
}

void append_car_header(Bytes& out, const std::vector<Cid>& roots) {
  Bytes header;
  append_cbor_head(header, 5, 2);
  append_cbor_text(header, "roots");
  append_cbor_head(header, 4, roots.size());
  for (const Cid& root : roots) {
    append_cbor_link(header, root);
  }
  append_cbor_text(header, "version");
  append_cbor_head(header, 0, 1);
  append_varint(out, header.size());
  out.append(header);
}

void append_car_block_head(Bytes& out, const Cid& cid, size_t data_size) {
  append_varint(out, cid.bytes().size() + data_size);
  out.append(cid.bytes());
}

void append_car_block(Bytes& out, const Cid& cid, BytesView data) {
  append_car_block_head(out, cid, data.size());
  out.append(data);
}

}  // namespace ica
