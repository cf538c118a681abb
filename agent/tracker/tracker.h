#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ipfs/connector.h"
#include "agent/store/store.h"
#include "common/api/status.h"
#include "common/base/asio.h"
#include "common/base/time.h"

namespace ica::tracker {

// What this peer knows of one CID, in the reference's words plus ours.
struct LocalStatus {
  api::TrackerStatus status = api::TrackerStatus::Unpinned;
  Time timestamp;
  std::string error;
  int attempt_count = 0;
  bool priority = false;
  // Beyond the reference; shown by `status -v`.
  ipfs::Reason reason = ipfs::Reason::None;
  ipfs::PinProgress progress;
  Time next_attempt;  // zero: not waiting for a retry
  Time last_progress;
};

struct TrackedPin {
  api::Pin pin;
  LocalStatus local;
};

// Counts by status, always current, for metrics and the dashboard.
struct TrackerCounts {
  uint64_t pinned = 0, pinning = 0, pin_queued = 0, pin_error = 0;
  uint64_t unpinning = 0, unpin_queued = 0, unpin_error = 0;
  uint64_t remote = 0, sharded = 0, unexpectedly_unpinned = 0;
  uint64_t ipfs_pins = 0;    // in Kubo's own list when it was last read
  Duration oldest_queued{};  // age of the oldest item that waits
};

// A walk over local statuses in key order, a page at a time, from one snapshot.
class StatusCursor {
 public:
  virtual ~StatusCursor() = default;
  // Up to `limit` more; empty at the end.
  virtual Result<std::vector<TrackedPin>> next(size_t limit) = 0;
};

// Questions that others answer before work goes on. Called from any thread.
struct Gates {
  // True: no pin is started for now, because there is no room.
  std::function<bool()> paused;
  // Whether the peers that a pin was given to hold it, so that this one may let go of its copy.
  std::function<Task<bool>(Cid, StopToken)> may_release;
  // Hears of each operation's end, and may add records to the batch that holds it.
  std::function<void(const Cid&, api::TrackerStatus, const std::string& error, store::Batch&)>
      ended;
};

// Makes Kubo hold what the pinset says this peer has to hold, and knows how far it is. Queue and
// statuses are persistent; nothing here asks Kubo to answer a status question.
// Thread-safety: all methods from any thread.
class Tracker {
 public:
  virtual ~Tracker() = default;

  virtual Result<TrackedPin> status(const Cid& cid) const = 0;
  // Costs what it returns: statuses with an index entry are found by it.
  virtual std::unique_ptr<StatusCursor> status_all(api::StatusFilter filter) const = 0;
  // As status(), but what should be pinned and has no operation is asked of Kubo, as the reference
  // does for one CID: unexpectedly_unpinned when Kubo has lost it (the index learns it),
  // cluster_error with Kubo's words when it does not answer within 15 s.
  virtual Task<Result<TrackedPin>> check(Cid cid, StopToken) { co_return status(cid); }
  // Checks, then queues a failed or missing pin again; other statuses are returned as they are.
  virtual Task<Result<TrackedPin>> recover(Cid cid) = 0;
  // All that the index knows as failed or missing; `on_batch` gets what was queued again. Starts a
  // reconcile() behind itself, so that what Kubo lost unnoticed is queued a little later.
  virtual Task<Status> recover_all(std::function<Task<Status>(std::vector<TrackedPin>)> on_batch,
                                   StopToken stop) = 0;
  // Reads Kubo's pin list and finds what it lost or holds beyond the index.
  virtual Task<Status> reconcile(StopToken stop) = 0;
  // Begins those pins again that have brought nothing yet. For when Kubo has met others: it asks
  // the peers that it has when a pin begins, and hardly those that come later.
  virtual void retry_stuck() {}
  virtual TrackerCounts counts() const = 0;
  // Before the work begins. Without: never paused, always released.
  virtual void set_gates(Gates) {}
};

}  // namespace ica::tracker
