#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/cluster/moves.h"

namespace ica::cluster {

// How full a peer is, and how full it should be.
struct PeerLoad {
  PeerId peer;
  uint64_t pins = 0;    // allocated to it
  uint64_t free = 0;    // bytes, as it told
  uint64_t target = 0;  // pins that give all disks the same share in use
};

struct RebalancePlan {
  std::vector<PeerLoad> peers;
  uint64_t pins = 0;       // to be moved
  uint64_t bytes = 0;      // about as much data
  uint64_t pin_bytes = 0;  // the size of a pin that this is computed with
};

// Sets the targets: every peer's share of the pins is that of its disk, where a disk is what is
// free and what its pins take. What is within 2 % (or 10 pins) of the target stays.
RebalancePlan plan_rebalance(std::vector<PeerLoad> peers, uint64_t pin_bytes);

// Who takes a pin over from `from`: of those with room left (in `room`) the one with the most that
// does not hold it yet and leaves the copies spread over as many parts of each tag as before.
// Empty when there is none.
PeerId choose_taker(const api::Pin& pin, const PeerId& from, const std::map<PeerId, uint64_t>& room,
                    const ClusterView& view);

struct RebalanceStatus {
  bool running = false;
  uint64_t left = 0;     // pins still to be moved
  uint64_t waiting = 0;  // until their new peer holds them
  uint64_t moved = 0;    // since the start of this run or of this peer
  std::string stopped;   // why it ended
};

}  // namespace ica::cluster
