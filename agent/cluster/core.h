#pragma once

// Shared between the .cc files of agent/cluster only.
#include <algorithm>
#include <chrono>

#include "agent/cluster/cluster.h"
#include "agent/cluster/moves.h"
#include "agent/cluster/orchestrator.h"
#include "agent/cluster/peer_states.h"
#include "agent/cluster/placements.h"
#include "common/base/offload.h"

namespace ica::cluster {

struct Cluster::Core {
  explicit Core(Parts p) : parts(std::move(p)) {}
  const Parts parts;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  PeerStates states;
  Placements placements;
  std::unique_ptr<Orchestrator> orchestrator;  // as long as the Cluster

  const config::Cluster& cluster() const { return parts.config.cluster; }
  Time now() const { return parts.clock.now(); }
  store::SnapshotPtr snapshot() const { return parts.snapshot ? parts.snapshot() : nullptr; }
  std::vector<PeerId> members() const;
  bool trusted(const PeerId& peer) const;
  // Peers to which this one gives no new pins.
  bool closed(const PeerId& peer) const { return states.mode_of(peer) != PeerMode::Active; }
  ClusterView view() const;
  // By pin_only_on_trusted_peers and its opposite; empty: everybody.
  std::function<bool(const PeerId&)> eligible() const;
  // The pin, or NotFound. A point read: it comes from memory or one block of disk.
  Result<api::Pin> pin_get(const Cid& cid) const;
  // Those of an index's CIDs that are there. The disk executor.
  Result<std::vector<api::Pin>> pins_of(const std::vector<Cid>& cids,
                                        const store::SnapshotPtr& snapshot) const;
  // Name and Kubo of any peer, as its last ping told.
  api::PinInfoShort short_info(const PeerId& peer, api::TrackerStatus status, Time when) const;
  // The same of this peer, whose name is known without a ping.
  api::PinInfoShort own_info() const;
  api::PinInfo to_info(tracker::TrackedPin tracked) const;
  // The same with own_info() at hand.
  api::PinInfo to_info(tracker::TrackedPin tracked, api::PinInfoShort own) const;
};

using CorePtr = std::shared_ptr<Cluster::Core>;

// --- a pin and its status here, as they are shown

// As in the reference: an unpin goes on after its pin has left the pinset, and is then of the time
// of the unpin.
void complete(api::Pin& pin, api::TrackerStatus status, Time since);
void take_local(api::PinInfoShort& info, tracker::LocalStatus&& local);
// `Info` is api::PinInfo or api::GlobalPinInfo.
template <typename Info>
void take_pin(Info& info, api::Pin&& pin) {
  info.cid = std::move(pin.cid);
  info.name = std::move(pin.options.name);
  info.allocations = std::move(pin.allocations);
  info.origins = std::move(pin.options.origins);
  info.created = pin.timestamp;
  info.metadata = std::move(pin.options.metadata);
}

inline constexpr Duration kPeerLimit = std::chrono::seconds(15);

// Replaces factors of 0 by the configured ones and checks them; for "everywhere" clears
// allocations.
Status set_replication(const config::Cluster& settings, api::Pin& pin);
// Chooses peers for a pin; `existing` may be null. Both must outlive it. Just after the start too
// few metrics are known, not even our own: then it waits for more until Parts::settle is over.
// Errors: Conflict (not enough peers), Cancelled.
Task<Result<std::vector<PeerId>>> allocate(CorePtr core, const api::Pin& pin,
                                           const api::Pin* existing);
Task<Result<api::Pin>> pin_in(CorePtr core, api::Pin pin);

// The parts of a sharded upload under its meta pin: the cluster DAG and its shards.
Task<Result<std::vector<Cid>>> shards_of(CorePtr core, api::Pin meta, StopToken stop);
// The CIDs that a dag-cbor block links to, in order. Corrupt when it is not dag-cbor.
Result<std::vector<Cid>> cbor_links(BytesView block);

// Whether `self` is the one of `peers` that looks after `cid`: the least XOR of BLAKE2b-256(CID)
// and BLAKE2b-256(peer), as all peers compute it. True when there is no other peer.
bool closest_of(const std::vector<PeerId>& peers, const PeerId& self, const Cid& cid);

Task<Result<api::Id>> own_id(CorePtr core, StopToken stop);

}  // namespace ica::cluster
