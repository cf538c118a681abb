#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/peer_id.h"

namespace ica::p2p {

// The RPC of /meshsub/1.1.0 (facts wire.md 4.1, vectors pubsub-signed.json).

inline constexpr size_t kMaxGossipFrame = 1 << 20;

struct GossipMessage {
  Bytes from;  // peer ID of the author
  Bytes data;
  bool has_data = false;  // an empty `data` that is set is encoded, an absent one is not
  Bytes seqno;
  std::string topic;
  Bytes signature;
  Bytes key;      // public key; absent for Ed25519
  Bytes unknown;  // fields that we do not know, as they came: they are part of what is signed

  // The bytes that the signature covers, without the prefix: fields 1 to 4, then the unknown ones.
  Bytes unsigned_bytes() const;
  Bytes encode() const;
};

struct Subscription {
  bool subscribe = false;
  std::string topic;
};
struct IHave {
  std::string topic;
  std::vector<Bytes> ids;
};
struct Prune {
  std::string topic;
  uint64_t backoff_seconds = 0;
};

struct GossipRpc {
  std::vector<Subscription> subscriptions;
  std::vector<GossipMessage> messages;
  std::vector<IHave> ihave;
  std::vector<Bytes> iwant;  // ids
  std::vector<std::string> graft;
  std::vector<Prune> prune;

  bool empty() const {
    return subscriptions.empty() && messages.empty() && ihave.empty() && iwant.empty() &&
           graft.empty() && prune.empty();
  }
};

// Bounds on one RPC; more is refused as a whole.
struct GossipLimits {
  size_t subscriptions = 256;
  // The reference answers an IWANT for thousands of messages in one frame; the frame's size bounds
  // them.
  size_t messages = 16'384;
  size_t ids = 10'000;  // over all IHAVE, and over all IWANT
  size_t control = 512;
  size_t id_bytes = 128;
  size_t topic_bytes = 256;
};

// Without the length prefix.
Bytes encode_rpc(const GossipRpc& rpc);
// Errors: InvalidArgument (malformed), TooLarge (a bound).
Result<GossipRpc> decode_rpc(BytesView bytes, const GossipLimits& limits = {});

// The cluster's message ID: the first 16 bytes of the author and the sequence number. Nothing when
// the author is too short to be a peer ID: such a message must be neither used nor forwarded,
// because it stops a Go peer (facts wire.md 4.2).
std::optional<Bytes> message_id(const GossipMessage& message);

}  // namespace ica::p2p
