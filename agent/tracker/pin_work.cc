// Working the queue off: which operation is next, running it, writing its outcome.
#include <algorithm>

#include "agent/tracker/pin_tracker.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/trace.h"

namespace ica::tracker {

namespace {

using api::TrackerStatus;

constexpr std::string_view kLog = "pintracker";
constexpr std::array kAllLanes = {Lane::Fresh,     Lane::Retry, Lane::Old,
                                  Lane::PinAwaits, Lane::Unpin, Lane::UnpinAwaits};
// A connection that fails this often in one operation's life is rather broken by the operation.
constexpr uint32_t kMaxAwaits = 5;
constexpr Duration kBrokenPause = std::chrono::seconds(10);
// A pin that has brought nothing for so long may have asked the wrong peers.
constexpr Duration kStuckAfter = std::chrono::milliseconds(500);
// One that has brought something may have a slow peer, and walks over what is there first.
constexpr Duration kStuckBetween = std::chrono::seconds(10);
constexpr int kMaxDoublings = 10;
// How soon a disk that failed is tried again.
constexpr Duration kDiskPause = std::chrono::seconds(2);
// How soon the holders of a surplus copy are asked again.
constexpr Duration kReleaseRetry = std::chrono::seconds(10);

bool is_await(Lane lane) {
  return lane == Lane::PinAwaits || lane == Lane::UnpinAwaits;
}

}  // namespace

void PinTracker::log_disk_error(std::string_view doing, const Error& error) {
  static LogLimiter limiter;
  if (limiter.allow(doing)) {
    log_error(kLog, "{}: {}", doing, error.message());
  }
}

bool PinTracker::lane_due(Lane lane, int64_t now) {
  if (is_await(lane) && !connector_->reachable()) {
    return false;
  }
  auto entry = queue_.peek(lane);
  if (!entry) {
    log_disk_error("reading the pin queue", entry.error());
    return false;
  }
  // No retry is ever further away than this; a due time that is was written by a clock that was
  // ahead.
  const int64_t horizon = now + 2 * options_.retry.max_delay.count();
  return entry->has_value() && ((*entry)->key.due <= now || (*entry)->key.due > horizon);
}

void PinTracker::hold_off() {
  queue_.rewind();
  held_until_ = clock_.steady() + kDiskPause;
}

Duration PinTracker::held() const {
  return std::max<Duration>(held_until_ - clock_.steady(), Duration::zero());
}

void PinTracker::pump() {
  if (!started_ || stopping_) {
    return;
  }
  const int64_t now = clock_.now().unix_nanos();
  const bool no_room = paused();
  while (!no_room && pins_running_ < options_.concurrent_pins && held() == Duration::zero() &&
         pace_.wait(clock_.steady()) == Duration::zero()) {
    SlotView view;
    view.slots = options_.concurrent_pins;
    view.busy_others = others_running_;
    view.turn = turn_;
    view.fresh = lane_due(Lane::Fresh, now);
    view.retry = lane_due(Lane::Retry, now);
    view.old = lane_due(Lane::Old, now);
    view.awaits = lane_due(Lane::PinAwaits, now);
    const Lane lane = next_lane(view);
    if (lane == Lane::None) {
      break;
    }
    if (start_one(lane)) {
      ++turn_;
    }
  }
  while (unpins_running_ < options_.concurrent_unpins && held() == Duration::zero()) {
    const Lane lane = lane_due(Lane::UnpinAwaits, now) ? Lane::UnpinAwaits : Lane::Unpin;
    if (!lane_due(lane, now)) {
      break;
    }
    (void)start_one(lane);
  }
  arm_timer(now);
}

// Takes the lane's first entry. False when it was not one to start.
bool PinTracker::start_one(Lane lane) {
  auto peeked = queue_.peek(lane);
  if (!peeked || !peeked->has_value()) {
    return false;
  }
  QueueEntry entry = **std::move(peeked);
  queue_.take(lane);
  if (pending_.contains(entry.cid)) {
    return false;  // the group that is being committed replaces it
  }
  auto read = current_row(entry.cid);
  if (!read) {
    log_disk_error("reading pin statuses", read.error());
    hold_off();
    return false;
  }
  const std::optional<Row>& row = *read;
  if (!row || row->seq != entry.key.seq || row->lane != entry.key.lane ||
      row->due != entry.key.due) {
    return false;  // overtaken
  }
  if (const RunningPtr other = find_running(entry.cid)) {
    if (other->seq != entry.key.seq) {
      // One operation at a time for a CID; this one follows when that one has ended.
      blocked_[entry.cid] = std::move(entry);
    }
    return false;
  }
  auto op = std::make_shared<Running>();
  op->cid = entry.cid;
  op->seq = row->seq;
  op->to_pin = row->to_pin();
  op->attempts = row->attempts + 1;
  op->queued_as = row->status;
  op->lane = lane;
  op->since = clock_.now();
  if (op->to_pin) {
    auto pin = pinset_.get(entry.cid);
    if (!pin) {
      log_disk_error("reading a queued pin", pin.error());
      hold_off();
      return false;
    }
    if (!pin->has_value()) {
      // Cannot be, since both change together; without the row it is at least said truthfully.
      log_error(kLog, "queued pin {} is not in the pinset", entry.cid);
      store::Batch batch;
      Tally tally = own_;
      write_change(entry.cid, row->status, row, std::nullopt, std::nullopt, tally, batch);
      (void)commit_own(std::move(batch), tally, {});
      return false;
    }
    op->pin = **std::move(pin);
    pace_.begun(clock_.steady());
    ++pins_running_;
    others_running_ += lane == Lane::Fresh ? 0 : 1;
  } else {
    ++unpins_running_;
  }
  {
    const std::lock_guard lock(mutex_);
    running_[entry.cid] = op;
  }
  spawn(executors_.net, run(shared_from_this(), std::move(op)), "a pin operation");
  return true;
}

void PinTracker::arm_timer(int64_t now) {
  int64_t next = INT64_MAX;
  int64_t oldest = INT64_MAX;
  const bool pins_full = pins_running_ >= options_.concurrent_pins;
  const bool unpins_full = unpins_running_ >= options_.concurrent_unpins;
  const bool no_room = paused();
  const Duration paced = pins_full ? Duration::zero() : pace_.wait(clock_.steady());
  for (const Lane lane : kAllLanes) {
    const auto entry = queue_.peek(lane);
    if (!entry) {
      next = std::min(next, now + kBrokenPause.count());
      continue;
    }
    if (!entry->has_value()) {
      continue;
    }
    const int64_t due = (*entry)->key.due;
    if (due <= now) {
      oldest = std::min(oldest, due);
    }
    const bool unpin = lane == Lane::Unpin || lane == Lane::UnpinAwaits;
    if (no_room && !unpin) {
      next = std::min(next, now + options_.pause_poll.count());
    } else if (is_await(lane) && !connector_->reachable()) {
      next = std::min(next, now + options_.away_poll.count());
    } else if (due > now && !(unpin ? unpins_full : pins_full)) {
      // What is due already waits for a slot, and the end of an operation looks again.
      next = std::min(next, due);
    } else if (due <= now && !unpin && paced > Duration::zero()) {
      next = std::min(next, now + paced.count());
    }
  }
  oldest_due_ = oldest == INT64_MAX ? 0 : oldest;
  if (const Duration hold = held(); hold > Duration::zero()) {
    next = now + hold.count();
  }
  if (next == INT64_MAX) {
    timer_->cancel();
    return;
  }
  // The wall clock may be set meanwhile: look at least once a minute.
  const Duration wait = std::clamp<Duration>(Duration(next - now), std::chrono::milliseconds(1),
                                             std::chrono::minutes(1));
  timer_->expires_after(wait);
  timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec) {
      self->pump();
    }
  });
}

Task<Status> PinTracker::execute(Self self, RunningPtr op) {
  const StopToken stop = op->stop.get_token();
  const auto give_up = self->clock_.steady() + self->options_.away_wait;
  Duration waited{};
  while (!self->connector_->reachable() && self->clock_.steady() < give_up &&
         waited < self->options_.away_wait) {
    const Duration step = std::min(self->options_.away_poll, self->options_.away_wait);
    CO_TRY_VOID(co_await sleep_for(step, stop));
    waited += step;
  }
  if (!op->to_pin) {
    if (op->queued_as == TrackerStatus::Remote && self->gates_.may_release) {
      const bool free = co_await self->gates_.may_release(op->cid, stop);
      if (!free) {
        co_return fail(Code::Conflict, "the peers that it is allocated to do not hold it yet");
      }
    }
    co_return co_await self->connector_->unpin(op->cid, stop);
  }
  std::function<void(ipfs::PinProgress)> on_progress = [op, self](ipfs::PinProgress progress) {
    op->nodes = progress.nodes;
    op->bytes = progress.bytes;
    op->progressed = self->clock_.now().unix_nanos();
  };
  co_return co_await self->connector_->pin(op->pin, std::move(on_progress), stop);
}

Task<void> PinTracker::run(Self self, RunningPtr op) {
  if (!trace::enabled()) {
    Status outcome = co_await execute(self, op);
    self->post_outcome(std::move(op), std::move(outcome));
    co_return;
  }
  trace::Span span(op->to_pin ? "tracker pin" : "tracker unpin", trace::Kind::Internal, {});
  span.set("ipfs.cid", op->cid.text());
  const Executor traced = trace::with(self->executors_.net, span.context());
  Status outcome = co_await asio::co_spawn(traced, execute(self, op), asio::use_awaitable);
  if (!outcome) {
    span.fail(outcome.error().message());
  }
  span.end();
  self->post_outcome(std::move(op), std::move(outcome));
}

void PinTracker::post_outcome(RunningPtr op, Status status) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = outcomes_.empty();
    outcomes_.push_back({std::move(op), std::move(status)});
  }
  // Those that end while the state executor is busy are written together.
  if (first) {
    asio::post(executors_.state, [self = shared_from_this()] { self->apply_outcomes(); });
  }
}

Row PinTracker::row_after_failure(const Row& row, const Running& op, const Error& error) {
  const Time now = clock_.now();
  Row next = row;
  next.since = now.unix_nanos();
  next.attempts = op.attempts;
  next.progress = {op.nodes, op.bytes};
  next.reason = ipfs::Connector::reason_of(error, next.progress);
  next.error = error.message().substr(0, kMaxStoredError);
  if (error.code() == Code::Conflict && row.status == TrackerStatus::Remote) {
    next.lane = Lane::Unpin;
    next.due = now.plus(kReleaseRetry).unix_nanos();
    next.attempts = row.attempts;
    return next;
  }
  if (row.to_pin()) {
    next.status = TrackerStatus::PinError;
  } else if (row.status == TrackerStatus::UnpinQueued) {
    next.status = TrackerStatus::UnpinError;
  }
  if (error.code() == Code::Unavailable && !connector_->reachable() && op.attempts <= kMaxAwaits) {
    // Nothing is wrong with this one: it goes on as soon as Kubo is there again.
    next.lane = row.to_pin() ? Lane::PinAwaits : Lane::UnpinAwaits;
    next.due = next.since;
    return next;
  }
  std::uniform_real_distribution<double> chance(0, 1);
  next.due =
      now.plus(retry_delay(options_.retry, op.attempts, next.reason, chance(random_))).unix_nanos();
  next.lane =
      row.to_pin() ? lane_for(options_.retry, op.pin.timestamp, op.attempts, now) : Lane::Unpin;
  return next;
}

void PinTracker::retry_stuck() {
  asio::post(executors_.state, [self = shared_from_this()] { self->restart_stuck(); });
}

void PinTracker::restart_stuck() {
  const Time now = clock_.now();
  size_t begun_again = 0;
  for (const RunningPtr& op : all_running()) {
    if (!op->to_pin || op->again) {
      continue;
    }
    // A search that is cut short each time would find nothing: each may take twice as long.
    int& restarts = restarts_[op->cid];
    const Duration patience = op->nodes == 0 ? kStuckAfter : kStuckBetween;
    const int64_t last_sign = std::max<int64_t>(op->since.unix_nanos(), op->progressed);
    if (now.unix_nanos() - last_sign <
        patience.count() * (int64_t{1} << std::min(restarts, kMaxDoublings))) {
      continue;
    }
    ++restarts;
    ++begun_again;
    op->again = true;
    op->stop.request_stop();
  }
  if (begun_again > 0) {
    log_info(kLog, "{} pins that stand still are begun again", begun_again);
  }
}

void PinTracker::apply_outcomes() {
  std::vector<Outcome> outcomes;
  {
    const std::lock_guard lock(mutex_);
    outcomes.swap(outcomes_);
  }
  store::Batch batch;
  Tally tally = own_;
  std::vector<QueueKey> inserted;
  std::vector<QueueEntry> again;
  for (const auto& [op, outcome] : outcomes) {
    if (stopping_ && !outcome) {
      continue;  // cancelled by us; it stays queued
    }
    auto read = current_row(op->cid);
    if (!read) {
      log_disk_error("reading pin statuses", read.error());
      hold_off();
      continue;
    }
    const std::optional<Row>& row = *read;
    if (!row || row->seq != op->seq || pending_.contains(op->cid)) {
      continue;  // overtaken by a newer operation, which is queued
    }
    if (op->again && !outcome) {
      again.push_back({queue_key(*row), op->cid});
      continue;
    }
    std::optional<TrackerStatus> status;
    std::optional<Row> next;
    if (!outcome) {
      next = row_after_failure(*row, *op, outcome.error());
      status = next->status;
      inserted.push_back(queue_key(*next));
      static LogLimiter limiter;
      const bool waits = outcome.error().code() == Code::Conflict;
      if (!waits && limiter.allow(ipfs::to_string(next->reason))) {
        log_info(kLog, "{} {} failed, will be tried again: {}",
                 op->to_pin ? "pinning" : "unpinning", op->cid, next->error);
      }
    } else if (op->to_pin) {
      status = TrackerStatus::Pinned;
    } else if (row->status == TrackerStatus::Remote || row->status == TrackerStatus::Sharded) {
      status = row->status;
    }
    write_change(op->cid, row->status, row, status, next, tally, batch);
    if (gates_.ended && status != TrackerStatus::Remote && status != TrackerStatus::Sharded) {
      gates_.ended(op->cid, status.value_or(TrackerStatus::Unpinned), next ? next->error : "",
                   batch);
    }
  }
  if (!batch.empty() && !commit_own(std::move(batch), tally, inserted)) {
    // What is on the disk still says that the work is to be done. Not at once again.
    hold_off();
  }
  {
    // Only now: a reader that sees the operation gone finds its outcome in the row.
    const std::lock_guard lock(mutex_);
    for (const auto& [op, outcome] : outcomes) {
      running_.erase(op->cid);
    }
  }
  for (const auto& [op, outcome] : outcomes) {
    if (op->to_pin) {
      --pins_running_;
      others_running_ -= op->lane == Lane::Fresh ? 0 : 1;
    } else {
      --unpins_running_;
    }
    if (!op->again || outcome) {
      restarts_.erase(op->cid);
    }
    if (auto blocked = blocked_.extract(op->cid)) {
      queue_.put_back(std::move(blocked.mapped()));
    }
  }
  for (QueueEntry& entry : again) {
    queue_.put_back(std::move(entry));
  }
  pump();
}

}  // namespace ica::tracker
