#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/p2p/gossip_outbox.h"
#include "agent/p2p/gossip_router.h"
#include "agent/p2p/stream.h"
#include "common/crypto/key.h"

namespace ica::p2p {

// gossipsub as the cluster's peers speak it: one stream of ours to every peer, StrictSign, the
// router's mesh. What it holds for a peer is bounded; see GossipOutbox for what gives way.
// Thread-safety: all methods from any thread; callbacks come on one strand and must be quick.
class Gossip {
 public:
  struct Options {
    GossipParams params;
    GossipOutbox::Limits outbox;
    Duration open_limit = std::chrono::seconds(10);
    Duration write_limit = std::chrono::seconds(30);
    Duration first_retry = std::chrono::milliseconds(100);  // of a stream that ended
    Duration last_retry = std::chrono::seconds(10);
    size_t max_peers = 4096;
  };
  struct Topic {
    // A message whose signature is right. Empty: everybody may write.
    std::function<Verdict(const GossipMessage& message, const PeerId& author)> validate;
    // `from` is the neighbour that passed it on.
    std::function<void(Bytes data, const PeerId& author, const PeerId& from)> deliver;
    // A peer that can hear us on this topic from now on.
    std::function<void(const PeerId& peer)> subscribed;
  };
  struct TopicStats {
    uint64_t messages_in = 0;  // accepted
    uint64_t bytes_in = 0;
    uint64_t messages_out = 0;  // ours
    uint64_t bytes_out = 0;
    size_t subscribers = 0;
    size_t mesh = 0;
  };
  struct Stats {
    GossipStats router;
    std::map<std::string, TopicStats> topics;
    uint64_t dropped = 0;    // messages that found no room in an outbox
    uint64_t malformed = 0;  // frames that were no RPC
    size_t peers = 0;        // with a stream of ours
  };

  // `key` signs; `executor` is the network's. `network` and `clock` must outlive stop().
  Gossip(Network& network, PrivateKey key, Executor executor, const Clock& clock, Options options);
  ~Gossip();
  Gossip(const Gossip&) = delete;
  Gossip& operator=(const Gossip&) = delete;

  // All topics are joined before start().
  void subscribe(const std::string& topic, Topic hooks);
  void start();
  // Sends to the topic's mesh without waiting. Errors: TooLarge, NotFound (no such topic), Closed.
  Status publish(const std::string& topic, Bytes data);
  // Ends streams and timers; done when nothing runs any more.
  Task<void> stop();

  // As of the last change, at most a heartbeat old.
  Stats stats() const;
  std::vector<PeerId> subscribers(const std::string& topic) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The signature of StrictSign over a complete message, and its check. The author's key comes from
// its ID, or from the message for keys that do not fit there.
void sign_message(GossipMessage& message, const PrivateKey& key);
bool signature_holds(const GossipMessage& message);

}  // namespace ica::p2p
