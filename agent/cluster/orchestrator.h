#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/cluster/moves.h"
#include "agent/cluster/peer_states.h"
#include "agent/cluster/rebalance.h"
#include "agent/cluster/token_rate.h"

namespace ica::cluster {

// Where a lost peer's pins stand.
struct LostPeer {
  enum class State { Waiting, Running, Settled, Short };
  PeerId peer;
  Time since;  // when its last ping ran out, or when this peer began to look
  Time due;    // when its pins get new places
  State state = State::Waiting;
  size_t pins = 0;            // allocated to it, in the last pass
  size_t moved = 0;           // given new places by this peer
  size_t left_to_others = 0;  // nearer to other peers, in the last pass
  size_t too_few_peers = 0;   // below their minimum and nowhere to go, in the last pass
};
std::string_view to_string(LostPeer::State state);  // "waiting", "running", ...

// An absence that lasted longer than the grace and is over.
struct PastLoss {
  PeerId peer;
  Time since;
  Time ended;
  bool back = false;  // else no pin was allocated to it any more
  size_t moved = 0;   // given new places by this peer
};

struct RepinStatus {
  bool enabled = false;
  bool cut_off = false;  // most peers are out of sight: nothing is moved
  Duration grace{};
  size_t alive = 0;
  size_t known = 0;
  std::vector<LostPeer> peers;
  std::vector<PastLoss> past;  // since the start of this peer, the latest kPast, newest last
  static constexpr size_t kPast = 32;
};

// What a pin of lost peers would get.
struct PlannedMove {
  Cid cid;
  std::vector<PeerId> from;
  std::vector<PeerId> to;
  std::string error;  // why it cannot get new places; `to` is then empty
};

struct DrainStatus {
  PeerId peer;
  PeerMode mode = PeerMode::Active;
  bool alive = false;
  size_t remaining = 0;  // pins that are allocated to it, counted up to kCountLimit
  size_t waiting = 0;    // of those in the last pass here: until others hold them
  size_t blocked = 0;    // nowhere to go
  size_t moved = 0;      // by this peer, since its start
  // Drained: no pin needs it any more.
  bool safe() const { return mode == PeerMode::Draining && remaining == 0; }
  static constexpr size_t kCountLimit = 1'000'000;
};

// Keeps the copies of pins where they should be: gives pins of lost peers new places, empties
// peers that are drained, evens out the use of disks. Every decision needs only the pinset and the
// metrics, and is carried out by the peer that is nearest to the CID of all that can; the others
// step in later, one after the other, in case that peer does not. What it writes are ordinary pins.
//
// Only pins of the peers concerned are read, by the index of allocations.
// Thread-safety: all methods from any thread; observe() and work() by one coroutine at a time each.
class Orchestrator {
 public:
  explicit Orchestrator(Cluster::Core& core);
  ~Orchestrator();
  Orchestrator(const Orchestrator&) = delete;
  Orchestrator& operator=(const Orchestrator&) = delete;

  // Both loops, until stopped. The caller waits for their end.
  Task<void> watch_loop(StopToken stop);
  Task<void> work_loop(StopToken stop);

  // One look at who is there: orders from other peers, peers lost and back. Cheap.
  Task<Status> observe();
  // Does what is due, and tells whether there was something to do.
  Task<Result<bool>> work(StopToken stop);

  RepinStatus repin_status() const;
  // Pins of peers that are not alive, as they would be placed now, one after the other.
  StreamPtr<PlannedMove> repin_plan(StopToken stop);

  // An order for a peer; told to the others with the next metric. Errors: Busy, Io,
  // InvalidArgument (follower).
  Task<Status> order(PeerId peer, PeerMode mode);
  Task<Result<DrainStatus>> drain_status(PeerId peer);
  PeerOrders orders() const;
  // The value of kAgentMetric.
  std::string agent_value() const;
  // Set while this peer must take no new pins: ordered, or its disk is full.
  bool own_closed() const;

  // Evens out the use of disks; carried out by the peer that was asked, which goes on after a
  // restart. A stop begins nothing more and finishes what was begun.
  Task<Result<RebalancePlan>> rebalance_plan(StopToken stop);
  Task<Status> rebalance_start();
  Task<Status> rebalance_stop();
  RebalanceStatus rebalance_status() const;

 private:
  struct Job {
    LostPeer told;
    size_t rank = 0;      // how far from a CID this peer may be and still act on it
    Time next_pass;       // not before
    Duration pause{};     // before the pass after that, when nothing changes
    uint64_t digest = 0;  // of the pinset when nothing was left to do
    size_t alive = 0;     // as well
    std::shared_ptr<StopSource> stop;
  };
  struct Drain {
    Time next_pass;
    Duration pause{};
    size_t rank = 0;
    size_t others = 0;  // pins left to other peers, in the last pass
    size_t waiting = 0;
    size_t blocked = 0;
    size_t moved = 0;
    bool over = false;  // taken back, and what was begun is finished
  };
  // One page of a lost peer's pins, looked at.
  struct Page {
    std::vector<std::pair<api::Pin, api::Pin>> changes;  // before, after
    size_t pins = 0;
    size_t left_to_others = 0;
    size_t too_few_peers = 0;
    Cid last;
    bool end = false;
  };

  // A rebalance that runs. Lists are the worker's; `moving` is guarded by mutex_.
  struct Run {
    struct From {
      PeerId peer;
      uint64_t left = 0;  // pins to be moved away
      Cid after;          // looked at up to here
    };
    std::vector<From> from;
    std::map<PeerId, uint64_t> room;
    std::vector<std::pair<Cid, PeerId>> moving;  // added, and to be taken away from this peer
    std::atomic<bool> stopping{false};
  };

  // A pin with more peers than its maximum, since when it has these.
  struct Leftover {
    std::vector<PeerId> allocations;
    Time since;
  };

  Status save_orders();
  void update_jobs(const ClusterView& view, const std::vector<PeerId>& allocated);
  // A job is over; the mutex is held.
  void end_job(const Job& job, bool back, Time now);
  Task<Result<bool>> repin_pass(PeerId lost, StopToken stop);
  Result<Page> repin_page(const PeerId& lost, const Cid& after, size_t rank, ClusterView view,
                          const store::SnapshotPtr& snapshot) const;
  // The job of this absence; null when the peer has come back since, even if it is lost again. The
  // mutex is held.
  Job* job_of(const LostPeer& told);
  // How far a pass has come.
  void tell(const LostPeer& told);
  void finish_pass(const LostPeer& told, const ClusterView& view);
  // `finish`: the order was taken back, so only pins that were added elsewhere already.
  Task<Result<bool>> drain_pass(PeerId leaving, bool finish, StopToken stop);
  // Whether a peer that is being drained is among the pin's.
  bool on_draining(const api::Pin& pin) const;
  Task<Result<Step::Kind>> move_one(api::Pin pin, PeerId leaving,
                                    std::shared_ptr<const ClusterView> view, StopToken stop);
  Task<Result<bool>> begin_run(StopToken stop);
  Task<Result<std::vector<std::pair<Cid, PeerId>>>> begun_moves(
      std::shared_ptr<const RebalancePlan> plan);
  Task<Result<bool>> begin_moves(std::shared_ptr<Run> run, ClusterView view);
  Task<Result<bool>> finish_move(Cid cid, PeerId from, std::shared_ptr<const ClusterView> view,
                                 StopToken stop);
  // When enough others hold the pin; `answers` are those of its living peers, without or with
  // `from`. False when it has to wait.
  Task<Result<bool>> take_away(api::Pin pin, PeerId from, HeldBy answers,
                               std::shared_ptr<const ClusterView> view, StopToken stop);
  PeerId given_up(const api::Pin& pin, const ClusterView& view) const;
  Task<Result<bool>> rebalance_pass(StopToken stop);
  // Pins with more allocations than their maximum, behind `after`.
  Task<Result<std::vector<api::Pin>>> crowded_page(Cid after, store::SnapshotPtr snapshot);
  Task<Result<bool>> leftover_pass(StopToken stop);
  Task<Result<bool>> finish_leftover(api::Pin pin, std::shared_ptr<const ClusterView> view,
                                     StopToken stop);
  enum class Saved : char { No = '0', Running = '1', Stopping = '2' };
  Status save_running(Saved state);
  void load_running();
  Task<Result<size_t>> write(std::vector<std::pair<api::Pin, api::Pin>> changes);
  uint64_t pin_bytes() const;
  Duration step_delay() const;

  Cluster::Core& core_;
  const Time started_;
  TokenRate repin_rate_;
  TokenRate move_rate_;
  std::atomic<uint64_t> repo_bytes_{0};
  // The worker's own.
  std::map<Cid, Leftover> leftovers_;
  Time next_leftovers_;

  mutable std::mutex mutex_;  // guards the rest
  std::map<PeerId, Job> jobs_;
  std::map<PeerId, Drain> drains_;
  RepinStatus told_;
  RebalanceStatus rebalance_;
  std::shared_ptr<Run> run_;
  Time next_rebalance_;
  bool only_finish_ = false;  // a stop was asked for before a restart
};

}  // namespace ica::cluster
