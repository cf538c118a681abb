#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/p2p/channel.h"
#include "common/base/clock.h"
#include "common/crypto/key.h"

namespace ica::p2p {

inline constexpr std::string_view kNoiseProtocol = "/noise";
inline constexpr std::string_view kYamuxProtocol = "/yamux/1.0.0";

struct UpgradeOptions {
  explicit UpgradeOptions(PrivateKey key) : identity(std::move(key)) {}

  PrivateKey identity;
  // Of the private network: dialling uses the first, listening accepts all. None: no protection.
  std::vector<Bytes> secrets;
  bool dialler = true;
  // When dialling a peer by its ID: another identity fails with Unauthorized.
  std::optional<PeerId> expected;
  // Offered inside the Noise handshake; without, the muxer is negotiated afterwards.
  bool early_muxer = true;
};

// A connection that can carry a yamux session.
struct Upgraded {
  ChannelPtr channel;
  PeerId peer;
  size_t secret = 0;  // which of the secrets is in use
};

// Takes a raw connection through private network, security and muxer negotiation (facts wire.md
// 1.1). When it fails, or `deadline` passes, or `stop` is requested, `raw` is closed. Errors:
// PermissionDenied (no common secret, or not a cluster peer), Unauthorized (another peer than
// expected), Protocol, Unsupported (no common protocol), Timeout, Cancelled, Closed.
Task<Result<Upgraded>> upgrade(ChannelPtr raw, UpgradeOptions options, SteadyTime deadline,
                               StopToken stop);

}  // namespace ica::p2p
