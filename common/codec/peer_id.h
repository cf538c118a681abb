#pragma once

#include <boost/static_string/static_string.hpp>
#include <compare>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// A libp2p peer ID: a multihash of the public key, or the key itself (Ed25519). Binary inside (at
// most 64 bytes), base58btc as text (12D3KooW..., Qm...). Ordered by bytes. Thread-safety: a value.
class PeerId {
 public:
  PeerId() = default;
  // base58btc, or a CIDv1 with the libp2p-key codec. Errors have go-libp2p's words.
  static Result<PeerId> parse(std::string_view text);
  static Result<PeerId> from_bytes(BytesView bytes);

  bool empty() const { return bytes_.empty(); }
  // Valid as long as this object is.
  BytesView bytes() const { return {bytes_.data(), bytes_.size()}; }
  // Both are cheap for IDs that the calling thread printed lately.
  std::string text() const;
  void append_text(std::string& out) const;

  friend std::strong_ordering operator<=>(const PeerId& a, const PeerId& b) {
    return a.bytes() <=> b.bytes();
  }
  friend bool operator==(const PeerId& a, const PeerId& b) { return a.bytes() == b.bytes(); }

 private:
  static constexpr size_t kMaxBytes = 64;

  // In place: every line of a listing has several.
  boost::static_strings::static_string<kMaxBytes> bytes_;
};

}  // namespace ica

template <>
struct std::hash<ica::PeerId> {
  size_t operator()(const ica::PeerId& id) const noexcept {
    return std::hash<std::string_view>()(id.bytes());
  }
};
template <>
struct fmt::formatter<ica::PeerId> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const ica::PeerId& id, Context& ctx) const {
    return fmt::formatter<std::string>::format(id.text(), ctx);
  }
};
