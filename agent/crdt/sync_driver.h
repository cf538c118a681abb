#pragma once

#include <memory>

#include "agent/crdt/local_pinset.h"
#include "agent/crdt/network.h"
#include "agent/crdt/synchronizer.h"
#include "common/base/clock.h"

namespace ica::crdt {

// Runs a Synchronizer on threads, timers and the network. All calls may come from any thread. The
// executors, the network and the replica must outlive it until the executors have stopped.
class SyncDriver final : public NodeSink {
 public:
  // Fetches run on `network`, everything else on `state`.
  SyncDriver(Replica& replica, BlockSource& source, Broadcaster& broadcaster, const Clock& clock,
             Executor state, Executor network, Synchronizer::Options options, uint64_t seed);
  ~SyncDriver() override;

  // Before start(). It must live as long as the executors.
  void set_history(HistorySource& history);
  // Resumes unfinished work and announces what we have.
  void start();
  // Ends fetches and timers soon.
  void stop();
  // A message on the topic of the heads by a trusted signer; `from` is who can serve it.
  void on_message(Bytes message, PeerId from);
  void on_peer_subscribed(PeerId peer);
  void on_local_nodes(const std::vector<Bytes>& digests) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::crdt
