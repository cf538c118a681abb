#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/p2p/gossip_rpc.h"
#include "agent/p2p/seen_messages.h"
#include "common/base/clock.h"

namespace ica::p2p {

// Mesh parameters: the reference's defaults with d_factor 4 (facts wire.md 4.3).
struct GossipParams {
  Duration heartbeat = std::chrono::seconds(10);
  size_t d = 24;
  size_t d_lo = 20;
  size_t d_hi = 48;
  size_t d_out = 8;
  size_t d_lazy = 24;
  size_t history_length = 6;  // heartbeats that a message can be asked for
  size_t history_gossip = 2;  // heartbeats that it is announced for
  Duration seen_ttl = std::chrono::minutes(30);
  size_t max_seen = 200'000;  // remembered message IDs
  size_t max_cache_bytes = 8 << 20;
  Duration prune_backoff = std::chrono::seconds(60);
  Duration unsubscribe_backoff = std::chrono::seconds(10);
  int max_ihave_messages = 10;   // per peer and heartbeat
  size_t max_iwant_ids = 5'000;  // asked for per peer and heartbeat
  int max_retransmissions = 3;   // of one message to one peer
  size_t max_topics_per_peer = 64;
};

enum class Verdict { Accept, Reject, Ignore };

// What the router wants done. Called from within the router's methods.
class GossipSink {
 public:
  virtual ~GossipSink() = default;
  // `own` marks RPCs with messages that we have written: they must not be lost silently.
  virtual void send(const PeerId& to, GossipRpc rpc, bool own) = 0;
  // Signature and topic rules. Called once per new message.
  virtual Verdict validate(const GossipMessage& message, const PeerId& from) = 0;
  // An accepted message, ours not included.
  virtual void deliver(const GossipMessage& message, const PeerId& from) = 0;
};

struct GossipStats {
  uint64_t received = 0;  // messages, duplicates included
  uint64_t duplicates = 0;
  uint64_t rejected = 0;  // invalid, unsigned, too short an author
  uint64_t published = 0;
  uint64_t forwarded = 0;
};

// gossipsub v1.1 without scores as a plain state machine: no I/O, no clock, no thread of its own,
// so that the simulator can drive it. Thread-safety: none; one strand.
class GossipRouter {
 public:
  GossipRouter(PeerId self, GossipParams params, GossipSink& sink, uint64_t seed);

  // Topics are joined before the first peer is added, and never left.
  void join(const std::string& topic);
  // A stream to the peer is open: it is told our topics and grafted at once, because a Go peer that
  // waits for its own heartbeat would send nothing for up to ten seconds. Called again when the
  // stream was opened anew.
  void add_peer(const PeerId& peer, bool outbound, SteadyTime now);
  // A peer spoke before our stream to it is open: what it says of itself is kept.
  void hear_peer(const PeerId& peer) { peers_.try_emplace(peer); }
  void remove_peer(const PeerId& peer);
  void on_rpc(const PeerId& from, const GossipRpc& rpc, SteadyTime now);
  // `message` is complete and signed. Goes to the mesh; to all subscribers while the mesh is empty.
  void publish(const GossipMessage& message, SteadyTime now);
  void heartbeat(SteadyTime now);

  std::vector<PeerId> mesh(const std::string& topic) const;
  std::vector<PeerId> subscribers(const std::string& topic) const;
  const GossipStats& stats() const { return stats_; }
  // Called when a peer subscribes to one of our topics.
  std::function<void(const PeerId&, const std::string&)> on_subscribed;

 private:
  struct Peer {
    bool outbound = false;
    std::set<std::string> topics;
    int ihave_messages = 0;
    size_t iwant_ids = 0;
  };
  struct Cached {
    GossipMessage message;
    std::map<PeerId, int> sent;
  };
  struct Topic {
    std::set<PeerId> mesh;
    std::map<PeerId, SteadyTime> backoff;
  };

  void cache(const Bytes& id, const GossipMessage& message);
  void on_message(const PeerId& from, const GossipMessage& message, SteadyTime now);
  void forward(const GossipMessage& message, const PeerId& except, bool own);
  bool may_graft(const Topic& topic, const PeerId& peer, SteadyTime now) const;
  void balance(const std::string& name, Topic& topic, SteadyTime now,
               std::map<PeerId, GossipRpc>& out);
  void announce(const std::string& name, const Topic& topic, std::map<PeerId, GossipRpc>& out);
  std::vector<PeerId> shuffled(std::vector<PeerId> peers);

  const PeerId self_;
  const GossipParams params_;
  GossipSink& sink_;
  std::mt19937_64 random_;
  std::map<PeerId, Peer> peers_;
  std::map<std::string, Topic> topics_;
  SeenMessages seen_;
  std::unordered_map<Bytes, Cached> cache_;
  std::deque<std::vector<Bytes>> windows_;  // newest first
  size_t cache_bytes_ = 0;
  GossipStats stats_;
};

}  // namespace ica::p2p
