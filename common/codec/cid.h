#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// Multicodec codes that we name; others are carried through as numbers.
namespace multicodec {
inline constexpr uint64_t kRaw = 0x55;
inline constexpr uint64_t kDagPb = 0x70;
inline constexpr uint64_t kDagCbor = 0x71;
inline constexpr uint64_t kLibp2pKey = 0x72;
inline constexpr uint64_t kIdentity = 0x00;
inline constexpr uint64_t kSha1 = 0x11;
inline constexpr uint64_t kSha2_256 = 0x12;
inline constexpr uint64_t kSha2_512 = 0x13;
inline constexpr uint64_t kMd5 = 0xd5;
inline constexpr uint64_t kBlake2b256 = 0xb220;
}  // namespace multicodec

// A content identifier, version 0 or 1, held as its binary form; the undefined CID is empty (JSON
// null). The same content as v0 and v1 is two different CIDs, as in the reference. Ordered by
// bytes. Thread-safety: a value.
class Cid {
 public:
  static constexpr size_t kMaxBytes = 256;

  Cid() = default;
  // Reads text in any multibase (a bare Qm... is version 0). Errors have go-cid's words
  // ("cid too short", "selected encoding not supported", ...; see the recordings).
  static Result<Cid> parse(std::string_view text);
  // The whole of `bytes` must be one CID.
  static Result<Cid> from_bytes(BytesView bytes);
  // Reads one CID from the front of `in` and removes it.
  static Result<Cid> read_prefix(BytesView& in);
  static Cid make_v0(BytesView sha256_multihash);
  static Cid make_v1(uint64_t codec, BytesView multihash);

  bool defined() const { return !bytes_.empty(); }
  const Bytes& bytes() const { return bytes_; }
  int version() const;
  uint64_t codec() const;
  BytesView multihash() const;
  uint64_t hash_code() const;
  // base58btc for v0, base32 for v1: what Go's String() gives.
  std::string text() const;
  void append_text(std::string& out) const;

  friend auto operator<=>(const Cid&, const Cid&) = default;

 private:
  Bytes bytes_;
};

}  // namespace ica

template <>
struct std::hash<ica::Cid> {
  size_t operator()(const ica::Cid& cid) const noexcept {
    return std::hash<std::string>()(cid.bytes());
  }
};
template <>
struct fmt::formatter<ica::Cid> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const ica::Cid& cid, Context& ctx) const {
    return fmt::formatter<std::string>::format(cid.text(), ctx);
  }
};
