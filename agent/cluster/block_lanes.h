#pragma once

#include <memory>
#include <vector>

#include "agent/cluster/cluster.h"
#include "common/base/asio.h"
#include "common/base/async.h"
#include "common/codec/peer_id.h"

namespace ica::cluster {

struct LaneLimits {
  // What may wait for one destination.
  size_t buffer = 2 << 20;
  // How long one destination may keep the faster ones waiting, in all; then it gets no more blocks
  // and finishes by ordinary pinning.
  Duration patience = std::chrono::seconds(10);
};

// Sends the same blocks to several peers at once, each at its own speed behind a buffer of its own.
// A destination that fails or is too slow is left behind; the upload goes on as long as one
// remains. Thread-safety: one coroutine at a time, on any executor.
class BlockLanes {
 public:
  BlockLanes(std::shared_ptr<Cluster::Core> core, Executor executor,
             std::vector<PeerId> destinations, LaneLimits limits, StopToken stop);
  // Call end() first.
  ~BlockLanes();
  BlockLanes(const BlockLanes&) = delete;
  BlockLanes& operator=(const BlockLanes&) = delete;

  const std::vector<PeerId>& destinations() const { return destinations_; }
  // Waits until there is room for the blocks. Errors: "failed to put block on all destinations",
  // Cancelled.
  Task<Status> put(std::vector<ipfs::BlockToPut> blocks);
  // Waits until the destinations have confirmed all blocks. Ok when one of them did.
  Task<Status> finish();
  // Gives up what is not finished and waits until nothing runs any more.
  Task<void> end();

 private:
  struct Lane;
  struct State;

  static Task<void> start(std::shared_ptr<State> state);
  static Task<void> run(std::shared_ptr<State> state, std::shared_ptr<Lane> lane);
  static Task<Status> feed(std::shared_ptr<State> state, std::shared_ptr<Lane> lane);
  static Task<Status> put_on_strand(std::shared_ptr<State> state,
                                    std::vector<ipfs::BlockToPut> blocks);
  static Task<Status> finish_on_strand(std::shared_ptr<State> state);
  static Task<void> end_on_strand(std::shared_ptr<State> state);

  const std::vector<PeerId> destinations_;
  const std::shared_ptr<State> state_;
};

}  // namespace ica::cluster
