#pragma once

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
  const Bytes& bytes() const { return bytes_; }
  // Both are cheap for IDs that the calling thread printed lately.
  std::string text() const;
  void append_text(std::string& out) const;

  friend auto operator<=>(const PeerId&, const PeerId&) = default;

 private:
  Bytes bytes_;
};

}  // namespace ica

template <>
struct std::hash<ica::PeerId> {
  size_t operator()(const ica::PeerId& id) const noexcept {
    return std::hash<std::string>()(id.bytes());
  }
};
template <>
struct fmt::formatter<ica::PeerId> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const ica::PeerId& id, Context& ctx) const {
    return fmt::formatter<std::string>::format(id.text(), ctx);
  }
};
