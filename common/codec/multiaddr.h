#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/peer_id.h"

namespace ica {

// A multiaddr, held in binary; text is made when asked for. Protocols whose value we cannot read
// are carried through unchanged in binary form. Thread-safety: a value.
class Multiaddr {
 public:
  static constexpr size_t kMaxBytes = 4096;

  struct Component {
    uint64_t code;
    std::string name;   // "ip4", "tcp", "p2p", ...
    std::string value;  // text form; empty for protocols without a value
  };

  Multiaddr() = default;
  // "/ip4/127.0.0.1/tcp/9096/p2p/12D3Koo...". Errors have go-multiaddr's words.
  static Result<Multiaddr> parse(std::string_view text);
  static Result<Multiaddr> from_bytes(BytesView bytes);

  bool empty() const { return bytes_.empty(); }
  const Bytes& bytes() const { return bytes_; }
  std::string text() const;
  std::vector<Component> components() const;
  // Text value of the first component with this name.
  std::optional<std::string> value_of(std::string_view protocol) const;
  // The peer ID of the last /p2p/ (or /ipfs/) component.
  std::optional<PeerId> peer_id() const;
  // This address followed by `other`; and without its trailing /p2p/ component.
  Multiaddr encapsulate(const Multiaddr& other) const;
  Multiaddr without_peer() const;

  friend auto operator<=>(const Multiaddr&, const Multiaddr&) = default;

 private:
  Bytes bytes_;
};

// Where an HTTP or TCP connection goes, read from an address such as /ip4/127.0.0.1/tcp/5001,
// /dns4/kubo/tcp/5001 or /unix/run/kubo.sock.
struct DialTarget {
  enum class Kind { Ip4, Ip6, Dns, Dns4, Dns6, Unix };
  Kind kind = Kind::Ip4;
  std::string host;  // address or name; the path for Unix
  uint16_t port = 0;
  bool tls = false;  // an /https or /tls component
};
Result<DialTarget> dial_target(const Multiaddr& address);

}  // namespace ica

template <>
struct fmt::formatter<ica::Multiaddr> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const ica::Multiaddr& a, Context& ctx) const {
    return fmt::formatter<std::string>::format(a.text(), ctx);
  }
};
