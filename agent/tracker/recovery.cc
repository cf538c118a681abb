// Trying again what failed, and finding what Kubo has lost.
#include <algorithm>

#include "agent/tracker/pin_tracker.h"
#include "agent/tracker/status_walk.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::tracker {

namespace {

using api::TrackerStatus;
using store::Family;

constexpr std::string_view kLog = "pintracker";
constexpr size_t kBatch = 1000;
// How long a comparison with Kubo's list counts as just made.
constexpr Duration kFreshList = std::chrono::minutes(1);

bool recoverable(TrackerStatus status) {
  return status == TrackerStatus::PinError || status == TrackerStatus::UnpinError ||
         status == TrackerStatus::UnexpectedlyUnpinned;
}

api::PinMode mode_of(const api::Pin& pin) {
  return pin.max_depth == api::kMaxDepthDirect ? api::PinMode::Direct : api::PinMode::Recursive;
}

// Whether what Kubo holds is enough. Kubo refuses to pin directly what it holds recursively, which
// is the more of the two.
bool satisfies(ipfs::PinKind kind, const api::Pin& pin) {
  return kind == ipfs::PinKind::Recursive ||
         (kind == ipfs::PinKind::Direct && pin.max_depth == api::kMaxDepthDirect);
}

// Runs `task` on `executor` and continues the caller where it was.
template <typename T>
Task<T> run_on(Executor executor, Task<T> task) {
  co_return co_await asio::co_spawn(executor, std::move(task), asio::use_awaitable);
}

struct PassStop {
  StopSource source;
  void operator()() const { source.request_stop(); }
};

Task<void> stop_later(StopSource source, Duration limit, StopToken done) {
  const Status slept = co_await sleep_for(limit, done);
  if (slept) {
    source.request_stop();
  }
}

Task<Result<ipfs::PinKind>> ask_kubo(std::shared_ptr<ipfs::Connector> connector, api::Pin pin,
                                     Duration limit, StopToken stop) {
  StopSource asking;
  StopSource done;
  const std::stop_callback<PassStop> pass(stop, PassStop{asking});
  spawn(co_await asio::this_coro::executor, stop_later(asking, limit, done.get_token()),
        "the limit of a question to IPFS");
  auto kind = co_await connector->pin_status(pin.cid, mode_of(pin), asking.get_token());
  done.request_stop();
  if (!kind && kind.error().code() == Code::Cancelled && !stop.stop_requested()) {
    co_return fail(Code::Timeout, "context deadline exceeded");
  }
  if (kind && *kind == ipfs::PinKind::Unpinned && mode_of(pin) == api::PinMode::Direct) {
    auto whole = co_await connector->pin_status(pin.cid, api::PinMode::Recursive, stop);
    co_return whole;
  }
  co_return kind;
}

}  // namespace

Task<Result<TrackedPin>> PinTracker::check(Cid cid, StopToken stop) {
  Self self = shared_from_this();
  CO_TRY(TrackedPin now, self->status(cid));
  const bool lost = now.local.status == TrackerStatus::UnexpectedlyUnpinned;
  if (now.local.status != TrackerStatus::Pinned && !lost) {
    co_return now;
  }
  auto kind = co_await ask_kubo(self->connector_, now.pin, self->options_.check_timeout, stop);
  if (!kind) {
    now.local.status = TrackerStatus::ClusterError;
    now.local.error = kind.error().message();
    now.local.reason = ipfs::Connector::reason_of(kind.error());
    now.local.next_attempt = Time();
    co_return now;
  }
  const bool held = satisfies(*kind, now.pin);
  std::vector<Cid> cids{cid};
  if (held && lost) {
    co_await run_on(self->executors_.state, mark_present(self, std::move(cids)));
  } else if (!held && !lost) {
    co_await run_on(self->executors_.state, mark_missing(self, std::move(cids), Due::Later));
  }
  co_return self->status(cid);
}

Task<Result<TrackedPin>> PinTracker::recover(Cid cid) {
  Self self = shared_from_this();
  CO_TRY(TrackedPin now, co_await self->check(cid, StopToken()));
  if (!recoverable(now.local.status)) {
    co_return now;
  }
  std::vector<Cid> cids{cid};
  auto queued = co_await run_on(self->executors_.state, requeue(self, std::move(cids)));
  if (queued.empty()) {
    co_return self->status(cid);  // something else came first
  }
  co_return std::move(queued.front());
}

Task<Status> PinTracker::recover_all(std::function<Task<Status>(std::vector<TrackedPin>)> on_batch,
                                     StopToken stop) {
  Self self = shared_from_this();
  StatusWalk walk(self, static_cast<api::StatusFilter>(TrackerStatus::PinError) |
                            static_cast<api::StatusFilter>(TrackerStatus::UnpinError));
  StatusWalk missing(self, static_cast<api::StatusFilter>(TrackerStatus::UnexpectedlyUnpinned));
  for (StatusWalk* source : {&walk, &missing}) {
    while (true) {
      if (stop.stop_requested()) {
        co_return fail(Code::Cancelled, "cancelled");
      }
      CO_TRY(const auto found, source->next(kBatch));
      if (found.empty()) {
        break;
      }
      std::vector<Cid> cids;
      cids.reserve(found.size());
      for (const TrackedPin& pin : found) {
        cids.push_back(pin.pin.cid);
      }
      auto queued = co_await run_on(self->executors_.state, requeue(self, std::move(cids)));
      if (!queued.empty()) {
        const Status taken = co_await on_batch(std::move(queued));
        CO_TRY_VOID(taken);
      }
    }
  }
  spawn(self->executors_.net, reconcile_behind(self), "reconciling after a recovery");
  co_return Status();
}

Task<std::vector<TrackedPin>> PinTracker::requeue(Self self, std::vector<Cid> cids) {
  co_return self->requeue_now(cids);
}

std::vector<TrackedPin> PinTracker::requeue_now(const std::vector<Cid>& cids) {
  std::vector<TrackedPin> result;
  store::Batch batch;
  Tally tally = own_;
  std::vector<QueueKey> inserted;
  for (const Cid& cid : cids) {
    const auto row = current_row(cid);
    if (!row || !*row || !recoverable((*row)->status) || pending_.contains(cid) ||
        find_running(cid)) {
      continue;
    }
    auto pin = pinset_.get(cid);
    if (!pin) {
      log_disk_error("reading a pin to be recovered", pin.error());
      continue;
    }
    const bool to_pin = (*row)->to_pin();
    const uint32_t attempts = (*row)->attempts;
    const Lane lane =
        to_pin ? lane_for(options_.retry, *pin ? (*pin)->timestamp : Time(), attempts, clock_.now())
               : Lane::Unpin;
    const Row next =
        new_row(to_pin ? TrackerStatus::PinQueued : TrackerStatus::UnpinQueued, lane, attempts);
    write_change(cid, (*row)->status, *row, next.status, next, tally, batch);
    inserted.push_back(queue_key(next));
    result.push_back(compose(cid, *std::move(pin), next, nullptr));
  }
  if (batch.empty() || !commit_own(std::move(batch), tally, inserted)) {
    return {};
  }
  pump();
  return result;
}

Task<void> PinTracker::mark_missing(Self self, std::vector<Cid> cids, Due due) {
  store::Batch batch;
  Tally tally = self->own_;
  std::vector<QueueKey> inserted;
  for (const Cid& cid : cids) {
    // Only what is still settled: everything else is being worked on.
    const auto row = self->current_row(cid);
    const auto pin = self->pinset_.get(cid);
    if (!row || *row || self->pending_.contains(cid) || !pin || !*pin ||
        settled_status(**pin, self->options_.self) != TrackerStatus::Pinned) {
      continue;
    }
    Row next =
        self->new_row(TrackerStatus::UnexpectedlyUnpinned,
                      lane_for(self->options_.retry, (*pin)->timestamp, 0, self->clock_.now()), 0);
    if (due == Due::Later) {
      next.due +=
          std::min<Duration>(std::chrono::minutes(1), self->options_.retry.max_delay).count();
      next.lane = Lane::Old;  // Fresh is in order of arrival
    }
    self->write_change(cid, TrackerStatus::Pinned, std::nullopt, next.status, next, tally, batch);
    inserted.push_back(queue_key(next));
  }
  if (!batch.empty() && self->commit_own(std::move(batch), tally, inserted)) {
    self->pump();
  }
  co_return;
}

Task<void> PinTracker::mark_present(Self self, std::vector<Cid> cids) {
  store::Batch batch;
  Tally tally = self->own_;
  for (const Cid& cid : cids) {
    const auto row = self->current_row(cid);
    if (!row || !*row || (*row)->status != TrackerStatus::UnexpectedlyUnpinned ||
        self->pending_.contains(cid) || self->find_running(cid)) {
      continue;
    }
    self->write_change(cid, (*row)->status, *row, TrackerStatus::Pinned, std::nullopt, tally,
                       batch);
  }
  if (!batch.empty()) {
    (void)self->commit_own(std::move(batch), tally, {});
  }
  co_return;
}

// ---- reconciliation ----

Task<Status> PinTracker::reconcile(StopToken stop) {
  Self self = shared_from_this();
  co_return co_await reconcile_as(self, Due::Later, std::move(stop));
}

Task<Status> PinTracker::reconcile_as(Self self, Due due, StopToken stop) {
  if (self->reconciling_.exchange(true)) {
    co_return fail(Code::Busy, "a reconciliation with IPFS is running already");
  }
  // What is not settled now cannot be missing from a list that is read from here on.
  const auto before = self->store_.snapshot();
  Status outcome = co_await run_on(self->executors_.disk, read_ipfs_pins(self, stop));
  if (outcome) {
    outcome = co_await run_on(self->executors_.disk, compare(self, before, due, stop));
  }
  if (auto dropped = self->store_.drop_all(Family::IpfsPins); !dropped && outcome) {
    outcome = dropped;
  }
  if (outcome) {
    self->reconciled_ = self->clock_.now().unix_nanos();
  }
  self->reconciling_ = false;
  co_return outcome;
}

Task<Status> PinTracker::read_ipfs_pins(Self self, StopToken stop) {
  CO_TRY_VOID(self->store_.drop_all(Family::IpfsPins));  // of a reconciliation that was cut short
  uint64_t total = 0;
  for (const char* type : {"direct", "recursive"}) {
    CO_TRY(auto list, co_await self->connector_->pin_ls(type, stop));
    while (true) {
      CO_TRY(const auto pins, co_await list->next());
      if (pins.empty()) {
        break;
      }
      total += pins.size();
      store::Batch batch;
      for (const ipfs::ListedPin& pin : pins) {
        batch.put(Family::IpfsPins, pin.cid.bytes(), Bytes(1, static_cast<char>(pin.kind)));
      }
      CO_TRY_VOID(self->store_.commit(std::move(batch), store::Sync::No));
      if (stop.stop_requested()) {
        co_return fail(Code::Cancelled, "cancelled");
      }
    }
  }
  self->ipfs_pins_ = total;
  co_return Status();
}

// Two walks in CID order side by side: our pins of the time before Kubo's list was read, and the
// list.
Task<Status> PinTracker::compare(Self self, store::SnapshotPtr before, Due due, StopToken stop) {
  auto listed = self->store_.cursor(Family::IpfsPins);
  listed->seek_first();
  Cid after;
  Cid previous;
  StatusWalk ours(self,
                  static_cast<api::StatusFilter>(TrackerStatus::Pinned) |
                      static_cast<api::StatusFilter>(TrackerStatus::UnexpectedlyUnpinned),
                  before);
  while (!stop.stop_requested()) {
    CO_TRY(const auto pins, ours.next(kBatch));
    if (pins.empty()) {
      CO_TRY_VOID(listed->status());
      co_return Status();
    }
    std::vector<Cid> missing;
    std::vector<Cid> found;
    for (const TrackedPin& tracked : pins) {
      const Cid& cid = tracked.pin.cid;
      if (listed->valid() && (listed->key() < cid.bytes() || cid < previous)) {
        listed->next();
        if (!listed->valid() || listed->key() < cid.bytes() || cid < previous) {
          listed->seek(cid.bytes());
        }
      }
      previous = cid;
      const bool held = listed->valid() && listed->key() == cid.bytes() &&
                        !listed->value().empty() &&
                        satisfies(static_cast<ipfs::PinKind>(listed->value()[0]), tracked.pin);
      if (held && tracked.local.status == TrackerStatus::UnexpectedlyUnpinned) {
        found.push_back(cid);
      } else if (!held && tracked.local.status == TrackerStatus::Pinned) {
        missing.push_back(cid);
      }
    }
    CO_TRY_VOID(listed->status());
    if (!missing.empty()) {
      log_warn(kLog, "IPFS has lost {} pins, they are queued again", missing.size());
      co_await run_on(self->executors_.state, mark_missing(self, std::move(missing), due));
    }
    if (!found.empty()) {
      co_await run_on(self->executors_.state, mark_present(self, std::move(found)));
    }
  }
  co_return fail(Code::Cancelled, "cancelled");
}

Task<void> PinTracker::reconcile_behind(Self self) {
  const auto counts = self->counts();
  const int64_t last = self->reconciled_;
  if (counts.pinned + counts.unexpectedly_unpinned == 0 ||
      (last != 0 && self->clock_.now().unix_nanos() - last < kFreshList.count())) {
    co_return;  // nothing that Kubo could have lost, or looked at a moment ago
  }
  const Status outcome = co_await reconcile_as(self, Due::Now, self->stop_.get_token());
  if (!outcome && outcome.error().code() != Code::Busy &&
      outcome.error().code() != Code::Cancelled) {
    log_warn(kLog, "comparing with the pins of IPFS: {}", outcome.error().message());
  }
}

}  // namespace ica::tracker
