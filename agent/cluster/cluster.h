#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/adder/adder.h"
#include "agent/cluster/peer_group.h"
#include "agent/cluster/trust.h"
#include "agent/config/config.h"
#include "agent/crdt/pinset.h"
#include "agent/ipfs/connector.h"
#include "agent/monitor/monitor.h"
#include "agent/tracker/tracker.h"
#include "common/base/clock.h"

namespace ica::cluster {

inline constexpr std::string_view kNotPinned = "pin is not part of the pinset";
inline constexpr std::string_view kFollower =
    "this peer is configured to be in follower mode. Write operations are disabled";

class Compactor;
class EventLog;
class Orchestrator;

// Builds the DAG of an upload; adder::add in the daemon.
using Importer =
    std::function<Task<Result<Cid>>(adder::AddOptions, adder::PartSource&, adder::AddTarget&,
                                    adder::OutputSink&, Executor, StopToken)>;

struct PinRange {
  uint64_t types = ~uint64_t{0};    // a mask of api::PinType
  Cid after;                        // pins behind it; undefined: all
  std::optional<std::string> name;  // found by the index of names
};

// What the use cases are made of. Everything must outlive the Cluster.
struct Parts {
  PeerId self;
  const config::Config& config;
  const Clock& clock;
  crdt::Pinset& pinset;
  tracker::Tracker& tracker;
  ipfs::Connector& connector;
  monitor::Monitor& monitor;
  PeerGroup& peers;
  Importer importer;
  Executor disk;  // long scans and hashing
  // A view for long scans; may give null when the pinset needs none (in-memory ones in tests).
  std::function<store::SnapshotPtr()> snapshot = {};
  // Null: what the configuration says.
  std::shared_ptr<const Trust> trust = {};
  // What peers of our kind say of their pinset; may be empty.
  std::function<std::vector<crdt::PeerPinset>()> peer_pinsets = {};
  // Where orders to peers survive a restart; null: nowhere.
  store::Store* store = nullptr;
  // What happened to pins, for GET /events; null: not kept.
  EventLog* events = nullptr;
  // Begins the history anew; null: not possible.
  Compactor* compactor = nullptr;
  // So long after the start an allocation waits for the metrics of enough peers.
  Duration settle = {};
  StopToken stopping = {};  // ends such waits
};

// The use cases of a cluster peer: what each API does, whatever the protocol it came by. Answers
// about several peers ask them side by side and merge in constant memory; a lone peer is the case
// without others. Error texts are the reference's. NotFound with kNotPinned is the 404 of the APIs.
// Thread-safety: all methods from any thread; coroutines go on where they were called.
class Cluster {
 public:
  explicit Cluster(Parts parts);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  const PeerId& self() const;
  const config::Config& settings() const;

  // --- pinset (pins.cc)
  // Pins with the allocations given, else with new ones. Returns the pin as it was recorded.
  Task<Result<api::Pin>> pin(api::Pin pin);
  Task<Result<api::Pin>> pin_path(std::string path, api::PinOptions options, StopToken stop);
  Task<Result<api::Pin>> unpin(Cid cid, StopToken stop);
  Task<Result<api::Pin>> unpin_path(std::string path, StopToken stop);
  // The CID that a path ends at; asks Kubo unless the path is a CID alone.
  Task<Result<Cid>> resolve(std::string path, StopToken stop);
  Result<api::Pin> pin_get(const Cid& cid) const;
  // How the pinset stands here, and on the peers that say so.
  crdt::PinsetInfo pinset_info() const;
  std::vector<crdt::PeerPinset> peer_pinsets() const;
  // Pins in a range, in key order, from one snapshot.
  StreamPtr<api::Pin> pins(PinRange range, StopToken stop);
  StreamPtr<api::Pin> pins(uint64_t types, StopToken stop) {
    return pins(PinRange{types, {}, {}}, std::move(stop));
  }
  // Removes expired pins that this peer is the one to remove, or those that were nearer to have
  // not; how many. Reads the index of expiries only.
  Task<Result<size_t>> remove_expired(StopToken stop);

  // --- status (status.cc, status_all.cc)
  Task<Result<api::GlobalPinInfo>> status(Cid cid, StopToken stop);
  Task<Result<api::GlobalPinInfo>> status_local(Cid cid, StopToken stop);
  // A failure of this peer alone is an error of the local stream, and an entry of the global one.
  StreamPtr<api::GlobalPinInfo> status_all(api::StatusFilter filter, StopToken stop);
  StreamPtr<api::GlobalPinInfo> status_all_local(api::StatusFilter filter, StopToken stop);
  Task<Result<api::GlobalPinInfo>> recover(Cid cid, StopToken stop);
  Task<Result<api::GlobalPinInfo>> recover_local(Cid cid, StopToken stop);
  StreamPtr<api::GlobalPinInfo> recover_all(StopToken stop);
  StreamPtr<api::GlobalPinInfo> recover_all_local(StopToken stop);
  // Counts of this peer by status, always current.
  tracker::TrackerCounts own_counts() const;
  // What this peer knows of its own part beyond the reference's fields.
  Result<tracker::LocalStatus> own_detail(const Cid& cid) const;
  // What this peer answers to another one.
  Task<Result<api::PinInfo>> own_status(Cid cid, StopToken stop);
  StreamPtr<api::PinInfo> own_status_all(api::StatusFilter filter, StopToken stop);  // sorted
  // The same as the tracker has it, and what goes with each of them.
  StreamPtr<tracker::TrackedPin> own_tracked_all(api::StatusFilter filter, StopToken stop);
  api::PinInfoShort own_info() const;
  Task<Result<api::PinInfo>> own_recover(Cid cid, StopToken stop);
  StreamPtr<api::PinInfo> own_recover_all(StopToken stop);

  // --- peers and health (peers.cc)
  Task<Result<api::Id>> id(StopToken stop);
  StreamPtr<api::Id> peers(StopToken stop);
  Task<Result<api::Id>> peer_add(PeerId peer, StopToken stop);
  Status peer_remove(const PeerId& peer);
  // Peers with a fresh ping and this one, by ID.
  std::vector<PeerId> members() const;
  bool trusted(const PeerId& peer) const;
  // Name and Kubo (with its public addresses) of a peer, as its last ping told.
  api::PinInfoShort last_known(const PeerId& peer) const;
  // As its last ping told; empty for a peer never heard of.
  std::string peername(const PeerId& peer) const;
  Task<Result<api::GlobalRepoGc>> repo_gc(StopToken stop);
  Task<Result<api::GlobalRepoGc>> repo_gc_local(StopToken stop);
  Task<Result<api::RepoGc>> own_repo_gc(StopToken stop);  // what this peer answers to another one
  // Whether this peer's Kubo answered when it was last asked.
  bool kubo_reachable() const;
  // The sum over the members whose Kubo answers.
  Task<ipfs::RepoStat> repo_stat(StopToken stop);
  Task<Result<api::ConnectGraph>> connect_graph(StopToken stop);
  std::vector<api::Alert> alerts() const;
  std::vector<api::Metric> metrics(std::string_view name) const;
  std::vector<std::string> metric_names() const;
  std::map<std::string, api::Bandwidth> bandwidth() const;

  // --- adding content (add.cc)
  Task<Result<Cid>> add(adder::AddOptions options, adder::PartSource& parts,
                        adder::OutputSink& output, StopToken stop);

  // What happened to pins; null when it is not kept.
  EventLog* events() const;
  // Begins the history of the pinset anew (compactor.h); null when nothing can.
  Compactor* compactor() const;

  // --- orchestration: lost peers, drain, rebalance (orchestrator.h)
  Orchestrator& orchestrator();
  // Whether this peer may let go of a copy that others are to hold now; for the tracker.
  std::function<Task<bool>(Cid, StopToken)> release_gate() const;

  struct Core;  // shared with what outlives a call: streams and add targets

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace ica::cluster
