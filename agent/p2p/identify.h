#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/p2p/channel.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"
#include "common/crypto/key.h"

namespace ica::p2p {

// The identify protocol (facts wire.md 3.4): what a peer says about itself.
inline constexpr std::string_view kIdentifyProtocol = "/ipfs/id/1.0.0";
inline constexpr std::string_view kIdentifyPushProtocol = "/ipfs/id/push/1.0.0";
inline constexpr std::string_view kPingProtocol = "/ipfs/ping/1.0.0";

// Bounds on what is taken from one peer. Messages over the byte bounds are refused, entries over
// the counts left out.
inline constexpr size_t kMaxIdentifyMessage = 32 * 1024;
inline constexpr int kMaxIdentifyMessages = 10;
inline constexpr size_t kMaxIdentifyAddresses = 64;
inline constexpr size_t kMaxIdentifyProtocols = 256;
inline constexpr size_t kMaxIdentifyText = 256;

struct IdentifyMessage {
  std::optional<PublicKey> key;
  std::vector<Multiaddr> listen_addresses;
  std::vector<std::string> protocols;
  Multiaddr observed;
  std::string protocol_version;
  std::string agent_version;
  Bytes signed_record;  // envelope of a peer record
};

// Without the length prefix.
Bytes encode_identify(const IdentifyMessage& message);
// Takes `bytes` into `message`: scalars replace, lists grow. Entries that cannot be read are left
// out. Errors: InvalidArgument.
Status merge_identify(BytesView bytes, IdentifyMessage& message);

// The addresses to believe of `peer`: those of a valid signed record if there is one, none when the
// record is another peer's, else the unsigned ones.
std::vector<Multiaddr> identified_addresses(const IdentifyMessage& message, const PeerId& peer);

// Reads messages to the end of the stream.
Task<Result<IdentifyMessage>> read_identify(BufferedChannel& channel);

}  // namespace ica::p2p
