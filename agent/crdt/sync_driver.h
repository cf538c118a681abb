#pragma once

#include <functional>
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
  void on_message(Bytes message, PeerId from,
                  Synchronizer::Author author = Synchronizer::Author::Ours);
  // A trusted peer said that it has this history, which is newer than ours.
  void consider_history(const Epoch& theirs);
  // Before start(). Called on the state executor when a trusted peer has a history that is to be
  // kept and ours is not.
  void on_newer_history(std::function<void(const Epoch&)> handler);
  // While sealed the replica stays as it is, and nothing is announced. Unsealing announces what it
  // has then. State executor only.
  void seal();
  void unseal();
  void on_peer_subscribed(PeerId peer);
  void on_local_nodes(const std::vector<Bytes>& digests) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::crdt
