#include "common/codec/cbor_cursor.h"

namespace ica {

namespace {

constexpr uint8_t kByteString = 2;
constexpr uint8_t kText = 3;
constexpr uint8_t kTag = 6;
constexpr uint64_t kLinkTag = 42;

tl::unexpected<Error> bad(std::string_view why) {
  return fail(Code::InvalidArgument, "invalid CBOR: {}", why);
}

}  // namespace

Result<uint64_t> CborCursor::head(uint8_t major) {
  if (rest_.empty()) {
    return bad("unexpected end");
  }
  const auto first = static_cast<uint8_t>(rest_[0]);
  if (first >> 5 != major) {
    return bad(fmt::format("item of kind {} where {} belongs", first >> 5, major));
  }
  const uint8_t small = first & 31;
  if (small < 24) {
    rest_.remove_prefix(1);
    return small;
  }
  if (small > 27) {
    return bad("indefinite length");
  }
  const size_t size = size_t{1} << (small - 24);
  if (rest_.size() < 1 + size) {
    return bad("unexpected end");
  }
  uint64_t value = 0;
  for (size_t i = 1; i <= size; ++i) {
    value = (value << 8) | static_cast<uint8_t>(rest_[i]);
  }
  const uint64_t smallest = size == 1 ? 24 : 1ULL << (4 * size);
  if (value < smallest) {
    return bad("number not in its shortest form");
  }
  rest_.remove_prefix(1 + size);
  return value;
}

Result<BytesView> CborCursor::string(uint8_t major) {
  TRY(const uint64_t length, head(major));
  if (length > rest_.size()) {
    return bad("unexpected end");
  }
  const BytesView out = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return out;
}

Result<Cid> CborCursor::link() {
  TRY(const uint64_t tag, head(kTag));
  if (tag != kLinkTag) {
    return bad("unknown tag");
  }
  TRY(const BytesView bytes, byte_string());
  if (!bytes.starts_with('\0')) {
    return bad("link without its leading zero");
  }
  return Cid::from_bytes(bytes.substr(1));
}

void append_cbor_head(Bytes& out, uint8_t major, uint64_t value) {
  const auto kind = static_cast<uint8_t>(major << 5);
  if (value < 24) {
    out.push_back(static_cast<char>(kind | value));
    return;
  }
  int log = 0;
  while (log < 3 && value >> (8 << log) != 0) {
    ++log;
  }
  out.push_back(static_cast<char>(kind | (24 + log)));
  for (int shift = (8 << log) - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

void append_cbor_text(Bytes& out, BytesView text) {
  append_cbor_head(out, kText, text.size());
  out.append(text);
}

void append_cbor_link(Bytes& out, const Cid& cid) {
  append_cbor_head(out, kTag, kLinkTag);
  append_cbor_head(out, kByteString, cid.bytes().size() + 1);
  out.push_back('\0');
  out.append(cid.bytes());
}

}  // namespace ica
