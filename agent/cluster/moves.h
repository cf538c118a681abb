#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/allocator/allocator.h"
#include "common/api/pin.h"
#include "common/base/time.h"

// Decisions of orchestration: plain functions of a pin and of what this peer sees of the cluster.
namespace ica::cluster {

// The disk informer's metric.
inline constexpr std::string_view kFreeSpace = "freespace";

// The cluster as one peer sees it at one moment. Lists are sorted.
struct ClusterView {
  Time now;
  PeerId self;
  std::vector<PeerId> alive;     // with a fresh ping, and this peer
  std::vector<PeerId> movers;    // alive, trusted, and agents like this one
  std::vector<PeerId> deciders;  // those of them that give pins of lost peers new places
  std::vector<PeerId> closed;    // cordoned or draining: they get no new pins
  size_t known = 0;              // peers seen lately, alive or not
  allocator::MetricsSet metrics;
  std::vector<std::string> allocate_by;
  std::function<bool(const PeerId&)> eligible;  // empty: everybody

  bool is_alive(const PeerId& peer) const;
  // Empty when places are not chosen by it.
  const std::vector<api::Metric>& free_space() const;
  // With fewer peers in sight than out of sight it is rather this peer that is cut off.
  bool cut_off() const { return alive.size() * 2 < known; }
  // Whether this peer moves pins at all.
  bool may_move() const {
    return std::binary_search(movers.begin(), movers.end(), self) && !cut_off();
  }
};

// How many of `peers` are nearer to `cid` than `self`: the XOR of BLAKE2b-256(CID) and
// BLAKE2b-256(peer), as all peers compute it. 0: this is the one that acts first.
size_t rank_of(const std::vector<PeerId>& peers, const PeerId& self, const Cid& cid);

// New allocations of a pin that has lost copies, or nothing when enough of its peers are alive.
// Living peers keep it. Errors: Conflict (not enough peers).
Result<std::optional<std::vector<PeerId>>> replace_lost(const api::Pin& pin,
                                                        const ClusterView& view);

// What a peer says of a pin: that it is not there yet, that it holds it, or that it cannot.
// Unknown: it does not talk to this peer.
enum class Held { No, Yes, Failed, Unknown };
using HeldBy = std::map<PeerId, Held>;

struct Step {
  enum class Kind {
    Done,     // the peer is not in the allocations any more
    Add,      // these allocations first
    Wait,     // until those that were added hold it
    Remove,   // these allocations now
    Blocked,  // there is nowhere to go
  };
  Kind kind = Kind::Done;
  std::vector<PeerId> allocations;  // of Add and Remove
};

// The peers whose answer next_step wants to know.
std::vector<PeerId> others_alive(const api::Pin& pin, const PeerId& leaving,
                                 const ClusterView& view);

// Leaves at most `max` peers: those that hold the pin stay, then those that are there.
void keep_best(std::vector<PeerId>& peers, size_t max, const HeldBy& held, const ClusterView& view);

// The next step of taking a pin away from `leaving` without ever having fewer copies than before,
// up to the pin's maximum. Needs nothing but the pin as it stands, so it can be taken up by
// anybody at any time.
Step next_step(const api::Pin& pin, const PeerId& leaving, const HeldBy& held,
               const ClusterView& view);

}  // namespace ica::cluster
