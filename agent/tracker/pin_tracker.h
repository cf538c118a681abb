#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <unordered_map>
#include <utility>

#include "agent/crdt/pinset.h"
#include "agent/store/store.h"
#include "agent/tracker/queue_reader.h"
#include "agent/tracker/schedule.h"
#include "agent/tracker/settled_mark.h"
#include "agent/tracker/tracker.h"
#include "common/base/clock.h"

namespace ica::tracker {

struct PinTrackerOptions {
  PeerId self;
  int concurrent_pins = 10;
  int concurrent_unpins = 1;
  RetryPolicy retry;  // priority_pin_max_age, priority_pin_max_retries, pin_recover_interval
  // An operation that finds Kubo away waits this long for it before it fails.
  Duration away_wait = std::chrono::seconds(2);
  // How often an absent Kubo is looked for (a flag of the connector is read, nothing is sent).
  Duration away_poll = std::chrono::milliseconds(200);
  Duration check_timeout = std::chrono::seconds(15);
  // A pin that was given to other peers is not let go before this.
  Duration surplus_delay{};
  // How often a tracker that is paused looks whether it may go on.
  Duration pause_poll = std::chrono::seconds(2);
  uint64_t seed = 0;  // of the jitter; 0: from the system
};

struct PinTrackerExecutors {
  Executor state;  // single-threaded, the one that makes the observer's calls
  Executor net;    // runs the requests to Kubo
  Executor disk;   // runs walks over the whole pinset
};

// An operation that Kubo is working on.
struct Running {
  Cid cid;
  uint64_t seq = 0;
  bool to_pin = true;
  api::Pin pin;
  uint32_t attempts = 1;
  api::TrackerStatus queued_as = api::TrackerStatus::PinQueued;  // status of its row
  Lane lane = Lane::Fresh;
  Time since;
  StopSource stop;
  bool again = false;  // state executor: stopped only to be begun again
  std::atomic<uint64_t> nodes = 0;
  std::atomic<uint64_t> bytes = 0;
  std::atomic<int64_t> progressed = 0;  // UNIX nanoseconds; 0: no progress yet
};
using RunningPtr = std::shared_ptr<Running>;

// The Tracker over a Store: one row for each CID that is not settled, an index by status over all,
// and a queue ordered by lane and due time; all changed in the batch that changes the pin.
// Operations in flight are held in memory over the rows, so a crash only means asking Kubo again.
//
// `store`, `pinset` and `clock` outlive the tracker's last operation: co_await stop() first.
class PinTracker final : public Tracker,
                         public crdt::StateObserver,
                         public std::enable_shared_from_this<PinTracker> {
 public:
  // Reads a few numbers, whatever the size of the pinset. The caller registers it with
  // Pinset::observe() and then calls start().
  static Result<std::shared_ptr<PinTracker>> open(PinTrackerOptions options,
                                                  PinTrackerExecutors executors,
                                                  store::Store& store, crdt::Pinset& pinset,
                                                  std::shared_ptr<ipfs::Connector> connector,
                                                  const Clock& clock);
  // Begins to work off the queue. Before, changes are only recorded.
  void start();
  // Cancels what runs and waits for its end. Nothing is lost: it is queued as before.
  Task<void> stop();
  // Looks at the queue again; for clocks that do not run by themselves.
  void wake();

  void on_change(const crdt::PinChange& change, store::Batch& batch) override;
  void on_committed(const Status& outcome) override;

  Result<TrackedPin> status(const Cid& cid) const override;
  std::unique_ptr<StatusCursor> status_all(api::StatusFilter filter) const override;
  Task<Result<TrackedPin>> check(Cid cid, StopToken stop) override;
  Task<Result<TrackedPin>> recover(Cid cid) override;
  Task<Status> recover_all(std::function<Task<Status>(std::vector<TrackedPin>)> on_batch,
                           StopToken stop) override;
  Task<Status> reconcile(StopToken stop) override;
  void retry_stuck() override;
  TrackerCounts counts() const override;
  void set_gates(Gates gates) override { gates_ = std::move(gates); }

 private:
  friend class StatusWalk;
  struct Outcome {
    RunningPtr op;
    Status status;
  };
  using Self = std::shared_ptr<PinTracker>;
  enum class Due { Now, Later };

  PinTracker(PinTrackerOptions options, PinTrackerExecutors executors, store::Store& store,
             crdt::Pinset& pinset, std::shared_ptr<ipfs::Connector> connector, const Clock& clock);

  // Rows (state executor).
  Result<std::optional<Row>> current_row(const Cid& cid) const;
  bool may_have_row(const crdt::PinChange& change) const;
  std::optional<Row> next_row(const crdt::PinChange& change, const std::optional<Row>& row);
  Row new_row(api::TrackerStatus status, Lane lane, uint32_t attempts);
  void write_change(const Cid& cid, std::optional<api::TrackerStatus> old_status,
                    const std::optional<Row>& old_row, std::optional<api::TrackerStatus> status,
                    const std::optional<Row>& row, Tally& tally, store::Batch& batch);
  void mark_settled();
  bool commit_own(store::Batch batch, Tally tally, const std::vector<QueueKey>& inserted);
  Row row_after_failure(const Row& row, const Running& op, const Error& error);

  // Work (state executor).
  void pump();
  bool start_one(Lane lane);
  bool lane_due(Lane lane, int64_t now);
  bool paused() const { return gates_.paused && gates_.paused(); }
  // A few times a minute, not for every pin.
  static void log_disk_error(std::string_view doing, const Error& error);
  // The disk fails: everything is looked at again, after a while.
  void hold_off();
  Duration held() const;  // for so long nothing is started
  void arm_timer(int64_t now);
  void post_outcome(RunningPtr op, Status status);
  void apply_outcomes();
  void restart_stuck();
  static Task<void> run(Self self, RunningPtr op);
  static Task<Status> execute(Self self, RunningPtr op);

  // Recovery and reconciliation.
  static Task<std::vector<TrackedPin>> requeue(Self self, std::vector<Cid> cids);
  std::vector<TrackedPin> requeue_now(const std::vector<Cid>& cids);
  static Task<void> mark_missing(Self self, std::vector<Cid> cids, Due due);
  static Task<void> mark_present(Self self, std::vector<Cid> cids);
  static Task<Status> reconcile_as(Self self, Due due, StopToken stop);
  static Task<Status> read_ipfs_pins(Self self, StopToken stop);
  static Task<Status> compare(Self self, store::SnapshotPtr before, Due due, StopToken stop);
  static Task<void> reconcile_behind(Self self);

  // Views (any thread).
  TrackedPin compose_settled(api::Pin&& pin) const;
  TrackedPin compose(const Cid& cid, std::optional<api::Pin> pin, const std::optional<Row>& row,
                     const RunningPtr& running) const;
  RunningPtr find_running(const Cid& cid) const;
  std::vector<RunningPtr> all_running() const;

  const PinTrackerOptions options_;
  const PinTrackerExecutors executors_;
  store::Store& store_;
  crdt::Pinset& pinset_;
  const std::shared_ptr<ipfs::Connector> connector_;
  const Clock& clock_;

  // State executor only.
  std::mt19937_64 random_;
  QueueReader queue_;
  Pace pace_;
  uint64_t seq_ = 0;
  Tally group_;       // changed by on_change; on disk since the last on_committed
  Tally group_next_;  // with the group that is being committed
  Tally own_;         // changed by our own commits
  std::unordered_map<Cid, std::optional<Row>>
      pending_;  // rows of the group that is being committed
  std::vector<QueueKey> pending_inserts_;
  std::unordered_map<Cid, QueueEntry> blocked_;  // wait for the running operation of the same CID
  std::unordered_map<Cid, int> restarts_;        // of running operations
  int pins_running_ = 0;
  int others_running_ = 0;
  int unpins_running_ = 0;
  uint64_t turn_ = 0;
  SteadyTime held_until_{};
  bool started_ = false;
  bool stopping_ = false;
  Gates gates_;  // set before the start, then only read
  std::unique_ptr<asio::steady_timer> timer_;

  SettledMark settled_;  // written on the state executor
  std::atomic<bool> reconciling_ = false;
  std::atomic<int64_t> reconciled_ = 0;  // UNIX nanoseconds of the last comparison; 0: none
  std::atomic<uint64_t> ipfs_pins_ = 0;
  std::atomic<int64_t> oldest_due_ = 0;
  StopSource stop_;

  mutable std::mutex mutex_;  // guards the rest
  std::unordered_map<Cid, RunningPtr> running_;
  Tally totals_;  // what counts() shows, without the running operations
  std::vector<Outcome> outcomes_;
};

}  // namespace ica::tracker
