#include "agent/tracker/pin_tracker.h"

#include <algorithm>

#include "agent/tracker/status_walk.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::tracker {

namespace {

using api::TrackerStatus;
using store::Family;

// Two records, each with one writer: so that neither a group in flight nor one of our own commits
// can overwrite what the other has counted.
constexpr std::string_view kGroupTally = "tracker/group";
constexpr std::string_view kOwnTally = "tracker/own";

Result<Tally> load_tally(const store::Store& store, std::string_view name) {
  TRY(const auto value, store.get(Family::Meta, name));
  if (!value) {
    return Tally();
  }
  return decode_tally(*value).context("record {}", name);
}

// Whether the change was only which peers are to hold it.
bool only_moved(const api::Pin& before, api::Pin after) {
  after.allocations = before.allocations;
  after.timestamp = before.timestamp;
  return api::encode_pin(before) == api::encode_pin(after);
}

}  // namespace

Result<std::shared_ptr<PinTracker>> PinTracker::open(PinTrackerOptions options,
                                                     PinTrackerExecutors executors,
                                                     store::Store& store, crdt::Pinset& pinset,
                                                     std::shared_ptr<ipfs::Connector> connector,
                                                     const Clock& clock) {
  std::shared_ptr<PinTracker> tracker(new PinTracker(std::move(options), std::move(executors),
                                                     store, pinset, std::move(connector), clock));
  TRY(tracker->group_, load_tally(store, kGroupTally));
  TRY(tracker->own_, load_tally(store, kOwnTally));
  tracker->group_next_ = tracker->group_;
  tracker->seq_ = std::max(tracker->group_.seq, tracker->own_.seq);
  for (size_t i = 0; i < kStatusKinds; ++i) {
    tracker->totals_.by_status[i] = tracker->group_.by_status[i] + tracker->own_.by_status[i];
  }
  tracker->mark_settled();
  return tracker;
}

PinTracker::PinTracker(PinTrackerOptions options, PinTrackerExecutors executors,
                       store::Store& store, crdt::Pinset& pinset,
                       std::shared_ptr<ipfs::Connector> connector, const Clock& clock)
    : options_(std::move(options)),
      executors_(std::move(executors)),
      store_(store),
      pinset_(pinset),
      connector_(std::move(connector)),
      clock_(clock),
      random_(options_.seed != 0 ? options_.seed : std::random_device()()),
      queue_(store) {}

void PinTracker::start() {
  asio::post(executors_.state, [self = shared_from_this()] {
    if (self->started_ || self->stopping_) {
      return;
    }
    self->started_ = true;
    self->timer_ = std::make_unique<asio::steady_timer>(self->executors_.state);
    self->pump();
  });
}

void PinTracker::wake() {
  asio::post(executors_.state, [self = shared_from_this()] { self->pump(); });
}

Task<void> PinTracker::stop() {
  Self self = shared_from_this();
  self->stop_.request_stop();
  asio::post(executors_.state, [self] {
    self->stopping_ = true;
    if (self->timer_) {
      self->timer_->cancel();
    }
    for (const RunningPtr& op : self->all_running()) {
      op->stop.request_stop();
    }
  });
  // What was cancelled ends in moments. An operation that does not must not hold the program back:
  // it keeps the tracker alive, and its outcome is no longer written.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (std::chrono::steady_clock::now() < deadline &&
         (!self->all_running().empty() || self->reconciling_)) {
    (void)co_await sleep_for(std::chrono::milliseconds(2));
  }
}

// ---- rows ----

Result<std::optional<Row>> PinTracker::current_row(const Cid& cid) const {
  if (const auto it = pending_.find(cid); it != pending_.end()) {
    return it->second;
  }
  TRY(const auto value, store_.get(Family::Status, cid.bytes()));
  if (!value) {
    return std::optional<Row>();
  }
  TRY(Row row, decode_row(*value).context("status record {}", cid));
  return std::optional<Row>(std::move(row));
}

// What was not pinned before can only have a row while Kubo is still to let go of it.
bool PinTracker::may_have_row(const crdt::PinChange& change) const {
  const auto unpins = [this](TrackerStatus status) {
    return group_next_.by_status[status_index(status)] + own_.by_status[status_index(status)];
  };
  return change.before || pending_.contains(change.cid) ||
         unpins(TrackerStatus::UnpinQueued) + unpins(TrackerStatus::UnpinError) != 0;
}

Row PinTracker::new_row(TrackerStatus status, Lane lane, uint32_t attempts) {
  Row row;
  row.status = status;
  row.lane = lane;
  row.due = clock_.now().unix_nanos();
  row.seq = ++seq_;
  row.since = row.due;
  row.attempts = attempts;
  return row;
}

// What has to be done after a change; nothing when the CID is settled by it.
std::optional<Row> PinTracker::next_row(const crdt::PinChange& change,
                                        const std::optional<Row>& row) {
  const bool held_before =
      change.before && settled_status(*change.before, options_.self) == TrackerStatus::Pinned;
  // Kubo may hold it, or be about to: then it has to be told to let go.
  const bool may_be_held = row || held_before;
  if (!change.after) {
    if (row && row->status == TrackerStatus::UnpinQueued) {
      return row;
    }
    return may_be_held ? std::optional(new_row(TrackerStatus::UnpinQueued, Lane::Unpin, 0))
                       : std::nullopt;
  }
  const api::Pin& pin = *change.after;
  const TrackerStatus settled = settled_status(pin, options_.self);
  if (settled != TrackerStatus::Pinned) {
    if (!may_be_held) {
      return std::nullopt;
    }
    if (row && row->status == settled) {
      return row;  // waits already
    }
    Row next = new_row(settled, Lane::Unpin, 0);
    if (settled == TrackerStatus::Remote) {
      next.due += options_.surplus_delay.count();
    }
    return next;
  }
  if (row && row->status == TrackerStatus::PinQueued && change.before &&
      change.before->max_depth == pin.max_depth) {
    // Queued or running for the same thing already: it keeps its place and its progress.
    return row;
  }
  if (!row && held_before && only_moved(*change.before, pin)) {
    // Kubo holds it. When a peer is lost or drained, those that keep their copies have no work.
    return std::nullopt;
  }
  const uint32_t attempts = row && row->to_pin() ? row->attempts : 0;
  return new_row(TrackerStatus::PinQueued,
                 lane_for(options_.retry, pin.timestamp, attempts, clock_.now()), attempts);
}

void PinTracker::write_change(const Cid& cid, std::optional<TrackerStatus> old_status,
                              const std::optional<Row>& old_row,
                              std::optional<TrackerStatus> status, const std::optional<Row>& row,
                              Tally& tally, store::Batch& batch) {
  if (old_row && old_row->lane != Lane::None) {
    batch.del(Family::Queue, encode_queue_key(queue_key(*old_row)));
  }
  if (row) {
    if (is_unsettled(row->status)) {
      settled_.unsettle();
    }
    batch.put(Family::Status, cid.bytes(), encode_row(*row));
    if (row->lane != Lane::None) {
      batch.put(Family::Queue, encode_queue_key(queue_key(*row)), cid.bytes());
    }
  } else if (old_row) {
    batch.del(Family::Status, cid.bytes());
  }
  if (old_status != status) {
    if (old_status) {
      batch.del(Family::ByStatus, by_status_key(*old_status, cid));
      tally.add(*old_status, -1);
    }
    if (status) {
      batch.put(Family::ByStatus, by_status_key(*status, cid), {});
      tally.add(*status, 1);
    }
  }
  tally.seq = seq_;
}

void PinTracker::on_change(const crdt::PinChange& change, store::Batch& batch) {
  std::optional<Row> old_row;
  if (may_have_row(change)) {
    if (auto read = current_row(change.cid)) {
      old_row = *std::move(read);
    } else {
      // The pin matters more than what we knew of its progress: it is queued anew.
      log_disk_error("reading pin statuses", read.error());
    }
  }
  const std::optional<Row> row = next_row(change, old_row);

  std::optional<TrackerStatus> old_status;
  if (old_row) {
    old_status = old_row->status;
  } else if (change.before) {
    old_status = settled_status(*change.before, options_.self);
  }
  std::optional<TrackerStatus> status;
  if (row) {
    status = row->status;
  } else if (change.after) {
    status = settled_status(*change.after, options_.self);
  }
  if (old_row && row && old_row->seq == row->seq) {
    return;
  }
  write_change(change.cid, old_status, old_row, status, row, group_next_, batch);
  if (row) {
    pending_inserts_.push_back(queue_key(*row));
  }
  pending_[change.cid] = row;
  batch.put(Family::Meta, kGroupTally, encode_tally(group_next_));
}

void PinTracker::on_committed(const Status& outcome) {
  if (!outcome) {
    // Nothing of it is on disk. Outcomes that came meanwhile were measured against rows that do not
    // exist, so everything is looked at again.
    group_next_ = group_;
    pending_.clear();
    pending_inserts_.clear();
    mark_settled();
    hold_off();
    pump();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < kStatusKinds; ++i) {
      totals_.by_status[i] += group_next_.by_status[i] - group_.by_status[i];
    }
  }
  group_ = group_next_;
  mark_settled();
  for (const auto& [cid, row] : pending_) {
    // A pin of the past is cut short. An unpin is not: Kubo might finish it behind our back, after
    // the pin that follows.
    if (const RunningPtr op = find_running(cid);
        op && op->to_pin && (!row || row->seq != op->seq)) {
      op->stop.request_stop();
    }
  }
  pace_.changed(pending_.size(), clock_.steady());
  pending_.clear();
  for (const QueueKey& key : std::exchange(pending_inserts_, {})) {
    queue_.inserted(key);
  }
  pump();
}

// After a commit. A group in flight counts as committed and as not committed.
void PinTracker::mark_settled() {
  const auto rows = [this](const Tally& group) { return unsettled(group) + unsettled(own_); };
  if (rows(group_) == 0 && rows(group_next_) == 0) {
    settled_.settle();
  }
}

bool PinTracker::commit_own(store::Batch batch, Tally tally,
                            const std::vector<QueueKey>& inserted) {
  batch.put(Family::Meta, kOwnTally, encode_tally(tally));
  // Not synced: after a power failure Kubo is asked once more, that is all.
  if (auto done = store_.commit(std::move(batch), store::Sync::No); !done) {
    log_disk_error("writing pin statuses", done.error());
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < kStatusKinds; ++i) {
      totals_.by_status[i] += tally.by_status[i] - own_.by_status[i];
    }
  }
  own_ = tally;
  mark_settled();
  for (const QueueKey& key : inserted) {
    queue_.inserted(key);
  }
  return true;
}

// ---- views ----

RunningPtr PinTracker::find_running(const Cid& cid) const {
  const std::lock_guard lock(mutex_);
  const auto it = running_.find(cid);
  return it == running_.end() ? nullptr : it->second;
}

std::vector<RunningPtr> PinTracker::all_running() const {
  std::vector<RunningPtr> result;
  const std::lock_guard lock(mutex_);
  result.reserve(running_.size());
  for (const auto& [cid, op] : running_) {
    result.push_back(op);
  }
  return result;
}

TrackedPin PinTracker::compose_settled(api::Pin&& pin) const {
  TrackedPin result;
  result.pin = std::move(pin);
  result.local.status = settled_status(result.pin, options_.self);
  result.local.timestamp = result.pin.timestamp;
  return result;
}

TrackedPin PinTracker::compose(const Cid& cid, std::optional<api::Pin> pin,
                               const std::optional<Row>& row, const RunningPtr& running) const {
  if (pin && !row) {
    return compose_settled(*std::move(pin));
  }
  TrackedPin result;
  LocalStatus& local = result.local;
  const bool in_pinset = pin.has_value();
  if (pin) {
    result.pin = *std::move(pin);
  } else {
    result.pin.cid = cid;
  }
  if (!row) {
    local.timestamp = clock_.now();
    return result;
  }
  local.status = row->status;
  if (row->status == TrackerStatus::Remote || row->status == TrackerStatus::Sharded) {
    // That Kubo still lets go of it concerns nobody.
    local.timestamp = result.pin.timestamp;
    return result;
  }
  local.timestamp = Time::from_unix_nanos(row->since);
  if (!in_pinset) {
    result.pin.timestamp = local.timestamp;
  }
  if (running && running->seq == row->seq) {
    local.status = running->to_pin ? TrackerStatus::Pinning : TrackerStatus::Unpinning;
    local.timestamp = running->since;
    local.attempt_count = static_cast<int>(running->attempts);
    local.progress = {running->nodes, running->bytes};
    if (const int64_t at = running->progressed; at != 0) {
      local.last_progress = Time::from_unix_nanos(at);
    }
  } else {
    local.error = row->error;
    local.attempt_count = static_cast<int>(row->attempts);
    local.reason =
        row->status == TrackerStatus::PinQueued && paused() ? ipfs::Reason::DiskFull : row->reason;
    local.progress = row->progress;
    if (row->status == TrackerStatus::UnexpectedlyUnpinned) {
      // Not an operation: shown as the reference shows what it has just found missing.
      local.error = kUnexpectedlyUnpinned;
      local.timestamp = result.pin.timestamp;
      local.next_attempt = Time::from_unix_nanos(row->due);
      return result;
    }
    if (row->status == TrackerStatus::PinError || row->status == TrackerStatus::UnpinError) {
      local.next_attempt = Time::from_unix_nanos(row->due);
    }
  }
  local.priority =
      row->to_pin() && has_priority(options_.retry, result.pin.timestamp,
                                    static_cast<uint32_t>(local.attempt_count), clock_.now());
  return result;
}

Result<TrackedPin> PinTracker::status(const Cid& cid) const {
  // The operation first: one that ends meanwhile is then told by its row.
  const RunningPtr running = find_running(cid);
  const auto snapshot = store_.snapshot();
  TRY(auto pin, pinset_.get(cid, snapshot));
  TRY(const auto value, store_.get(Family::Status, cid.bytes(), snapshot));
  std::optional<Row> row;
  if (value) {
    TRY(row, decode_row(*value).context("status record {}", cid));
  }
  return compose(cid, std::move(pin), row, running);
}

std::unique_ptr<StatusCursor> PinTracker::status_all(api::StatusFilter filter) const {
  return std::make_unique<StatusWalk>(shared_from_this(), filter);
}

TrackerCounts PinTracker::counts() const {
  Tally tally;
  {
    const std::lock_guard lock(mutex_);
    tally = totals_;
    for (const auto& [cid, op] : running_) {
      // Rows of operations that were overtaken are counted as what they are now.
      if (!op->stop.stop_requested() && op->queued_as != TrackerStatus::Remote &&
          op->queued_as != TrackerStatus::Sharded) {
        tally.add(op->queued_as, -1);
        tally.add(op->to_pin ? TrackerStatus::Pinning : TrackerStatus::Unpinning, 1);
      }
    }
  }
  const auto count = [&tally](TrackerStatus status) {
    return static_cast<uint64_t>(std::max<int64_t>(tally.by_status[status_index(status)], 0));
  };
  TrackerCounts result;
  result.pinned = count(TrackerStatus::Pinned);
  result.pinning = count(TrackerStatus::Pinning);
  result.pin_queued = count(TrackerStatus::PinQueued);
  result.pin_error = count(TrackerStatus::PinError);
  result.unpinning = count(TrackerStatus::Unpinning);
  result.unpin_queued = count(TrackerStatus::UnpinQueued);
  result.unpin_error = count(TrackerStatus::UnpinError);
  result.remote = count(TrackerStatus::Remote);
  result.sharded = count(TrackerStatus::Sharded);
  result.unexpectedly_unpinned = count(TrackerStatus::UnexpectedlyUnpinned);
  result.ipfs_pins = ipfs_pins_;
  if (const int64_t due = oldest_due_; due != 0) {
    result.oldest_queued =
        std::max(Duration::zero(), clock_.now().since(Time::from_unix_nanos(due)));
  }
  return result;
}

}  // namespace ica::tracker
