#include "common/codec/cid.h"

#include "common/codec/base58.h"
#include "common/codec/multibase.h"
#include "common/codec/multihash.h"
#include "common/codec/varint.h"

namespace ica {

namespace {

constexpr char kSha256Code = 0x12;
constexpr char kSha256Length = 32;
constexpr size_t kV0Bytes = 34;
constexpr size_t kV0TextLength = 46;
// No text of a CID within our limit is longer, except in base 2.
constexpr size_t kMaxText = 1 + Cid::kMaxBytes * 8;

tl::unexpected<Error> invalid(std::string_view why) {
  return fail(Code::InvalidArgument, "invalid cid: {}", why);
}

bool looks_like_v0(BytesView bytes) {
  return bytes.size() > 2 && bytes[0] == kSha256Code && bytes[1] == kSha256Length;
}

// How many bytes of `bytes` the CID at its front takes.
Result<size_t> length_of(BytesView bytes) {
  if (looks_like_v0(bytes)) {
    if (bytes.size() < kV0Bytes) {
      return invalid("not enough bytes for cid v0");
    }
    return kV0Bytes;
  }
  BytesView rest = bytes;
  const auto version = read_varint(rest);
  if (!version.has_value()) {
    return invalid(version.error().message());
  }
  if (*version != 1) {
    return invalid(fmt::format("expected 1 as the cid version number, got: {}", *version));
  }
  if (const auto codec = read_varint(rest); !codec.has_value()) {
    return invalid(codec.error().message());
  }
  if (const auto hash = read_multihash(rest); !hash.has_value()) {
    return invalid(hash.error().message());
  }
  const size_t length = bytes.size() - rest.size();
  if (length > Cid::kMaxBytes) {
    return fail(Code::TooLarge, "invalid cid: longer than {} bytes", Cid::kMaxBytes);
  }
  return length;
}

// Only for bytes of a defined version 1 CID.
BytesView after_version(BytesView bytes) {
  return bytes.substr(1);
}

uint64_t trusted_varint(BytesView& in) {
  auto value = read_varint(in);
  ICA_ASSERT(value.has_value());
  return *value;
}

}  // namespace

Result<Cid> Cid::parse(std::string_view text) {
  if (text.size() < 2) {
    return invalid("cid too short");
  }
  if (text.size() > kMaxText) {
    return fail(Code::TooLarge, "invalid cid: longer than {} bytes", kMaxBytes);
  }
  if (text.size() == kV0TextLength && text.starts_with("Qm")) {
    auto bytes = base58_decode(text);
    if (!bytes.has_value()) {
      return invalid("input isn't valid multihash");
    }
    if (const auto hash = decode_multihash(*bytes); !hash.has_value()) {
      return invalid(hash.error().message());
    }
    if (bytes->size() != kV0Bytes || !looks_like_v0(*bytes)) {
      return invalid("invalid v0 prefix");
    }
    Cid cid;
    cid.bytes_ = std::move(*bytes);
    return cid;
  }
  const auto bytes = multibase_decode(text);
  if (!bytes.has_value()) {
    return invalid(bytes.error().message());
  }
  return from_bytes(*bytes);
}

Result<Cid> Cid::from_bytes(BytesView bytes) {
  const auto length = length_of(bytes);
  if (!length.has_value()) {
    // The reference wraps its own error once more here.
    return fail(length.error().code(), "invalid cid: {}", length.error().message());
  }
  if (*length != bytes.size()) {
    return invalid("trailing bytes in data buffer passed to cid Cast");
  }
  Cid cid;
  cid.bytes_ = Bytes(bytes);
  return cid;
}

Result<Cid> Cid::read_prefix(BytesView& in) {
  TRY(const size_t length, length_of(in));
  Cid cid;
  cid.bytes_ = Bytes(in.substr(0, length));
  in.remove_prefix(length);
  return cid;
}

Cid Cid::make_v0(BytesView sha256_multihash) {
  ICA_ASSERT(sha256_multihash.size() == kV0Bytes && looks_like_v0(sha256_multihash));
  Cid cid;
  cid.bytes_ = Bytes(sha256_multihash);
  return cid;
}

Cid Cid::make_v1(uint64_t codec, BytesView multihash) {
  Cid cid;
  cid.bytes_.reserve(2 + kMaxVarintBytes + multihash.size());
  append_varint(cid.bytes_, 1);
  append_varint(cid.bytes_, codec);
  cid.bytes_.append(multihash);
  return cid;
}

int Cid::version() const {
  return looks_like_v0(bytes_) ? 0 : 1;
}

uint64_t Cid::codec() const {
  if (bytes_.empty() || looks_like_v0(bytes_)) {
    return multicodec::kDagPb;
  }
  BytesView rest = after_version(bytes_);
  return trusted_varint(rest);
}

BytesView Cid::multihash() const {
  if (bytes_.empty() || looks_like_v0(bytes_)) {
    return bytes_;
  }
  BytesView rest = after_version(bytes_);
  trusted_varint(rest);
  return rest;
}

uint64_t Cid::hash_code() const {
  BytesView rest = multihash();
  return rest.empty() ? 0 : trusted_varint(rest);
}

std::string Cid::text() const {
  std::string out;
  append_text(out);
  return out;
}

void Cid::append_text(std::string& out) const {
  if (bytes_.empty()) {
    out.push_back('b');  // what Go's String() of the undefined CID gives
  } else if (looks_like_v0(bytes_)) {
    append_base58(out, bytes_);
  } else {
    out.push_back('b');
    append_base32(out, bytes_);
  }
}

}  // namespace ica
