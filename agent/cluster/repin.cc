// New places for the pins of peers that are gone.
#include "agent/cluster/contains.h"
#include "agent/cluster/core.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr size_t kPage = 512;
constexpr Duration kFirstPause = std::chrono::seconds(30);
constexpr Duration kLongestPause = std::chrono::hours(6);

// Within one page or plan, as Placements does from one to the next.
void charge(ClusterView& view, const std::vector<PeerId>& before,
            const std::vector<PeerId>& after) {
  const auto found = view.metrics.find(std::string(kFreeSpace));
  if (found == view.metrics.end()) {
    return;
  }
  for (api::Metric& metric : found->second) {
    if (contains(after, metric.peer) && !contains(before, metric.peer)) {
      Placements::take_off(metric, 1);
    }
  }
}

std::vector<PeerId> lost_of(const api::Pin& pin, const ClusterView& view) {
  std::vector<PeerId> out;
  for (const PeerId& peer : pin.allocations.items) {
    if (!view.is_alive(peer)) {
      out.push_back(peer);
    }
  }
  return out;
}

class PlanStream final : public Stream<PlannedMove> {
 public:
  PlanStream(Cluster::Core& core, StopToken stop)
      : core_(core), stop_(std::move(stop)), view_(core.view()) {}

  Task<Result<std::vector<PlannedMove>>> next() override {
    auto read = [this] { return page(); };
    while (true) {
      if (stop_.stop_requested()) {
        co_return fail(Code::Cancelled, "context canceled");
      }
      auto moves = co_await run_on(core_.parts.disk, read);
      if (!moves || !moves->empty() || at_ >= lost_.size()) {
        co_return moves;
      }
    }
  }

 private:
  Result<std::vector<PlannedMove>> page() {
    if (!started_) {
      started_ = true;
      TRY(const auto allocated, core_.parts.pinset.allocated_peers());
      for (const PeerId& peer : allocated) {
        if (!view_.is_alive(peer)) {
          lost_.push_back(peer);
        }
      }
      snapshot_ = core_.snapshot();
    }
    std::vector<PlannedMove> out;
    if (at_ >= lost_.size()) {
      return out;
    }
    TRY(const auto cids, core_.parts.pinset.allocated_to(lost_[at_], after_, kPage, snapshot_));
    for (const Cid& cid : cids) {
      TRY(const auto pin, core_.parts.pinset.get(cid, snapshot_));
      if (pin) {
        consider(*pin, out);
      }
    }
    after_ = cids.empty() ? Cid() : cids.back();
    if (cids.size() < kPage) {
      ++at_;
      after_ = Cid();
    }
    return out;
  }

  void consider(const api::Pin& pin, std::vector<PlannedMove>& out) {
    const std::vector<PeerId> lost = lost_of(pin, view_);
    // A pin that has lost several peers is told with the first of them.
    for (size_t i = 0; i < at_; ++i) {
      if (std::find(lost.begin(), lost.end(), lost_[i]) != lost.end()) {
        return;
      }
    }
    auto peers = replace_lost(pin, view_);
    if (!peers) {
      out.push_back({pin.cid, pin.allocations.items, {}, peers.error().message()});
    } else if (*peers) {
      charge(view_, pin.allocations.items, **peers);
      out.push_back({pin.cid, pin.allocations.items, **peers, {}});
    }
  }

  Cluster::Core& core_;
  const StopToken stop_;
  ClusterView view_;
  std::vector<PeerId> lost_;
  size_t at_ = 0;
  Cid after_;
  bool started_ = false;
  store::SnapshotPtr snapshot_;
};

}  // namespace

StreamPtr<PlannedMove> Orchestrator::repin_plan(StopToken stop) {
  return std::make_unique<PlanStream>(core_, std::move(stop));
}

Result<Orchestrator::Page> Orchestrator::repin_page(const PeerId& lost, const Cid& after,
                                                    size_t rank, ClusterView view,
                                                    const store::SnapshotPtr& snapshot) const {
  Page page;
  TRY(const auto cids, core_.parts.pinset.allocated_to(lost, after, kPage, snapshot));
  page.end = cids.size() < kPage;
  page.pins = cids.size();
  for (const Cid& cid : cids) {
    page.last = cid;
    TRY(const auto pin, core_.parts.pinset.get(cid, snapshot));
    if (!pin) {
      continue;
    }
    auto peers = replace_lost(*pin, view);
    if (!peers) {
      ++page.too_few_peers;
      continue;
    }
    if (!*peers) {
      continue;
    }
    if (rank_of(view.deciders, view.self, cid) > rank) {
      ++page.left_to_others;
      continue;
    }
    charge(view, pin->allocations.items, **peers);
    api::Pin changed = *pin;
    changed.allocations.items = std::move(**peers);
    changed.allocations.present = true;
    changed.timestamp = view.now;
    page.changes.emplace_back(*pin, std::move(changed));
  }
  return page;
}

Task<Result<bool>> Orchestrator::repin_pass(PeerId lost, StopToken stop) {
  LostPeer told;
  size_t rank = 0;
  std::shared_ptr<StopSource> own_stop;
  {
    const std::lock_guard lock(mutex_);
    const auto job = jobs_.find(lost);
    if (job == jobs_.end()) {
      co_return false;
    }
    const auto info = core_.parts.pinset.info();
    if (job->second.told.state == LostPeer::State::Settled && job->second.digest == info.digest &&
        job->second.alive == told_.alive) {
      job->second.next_pass = core_.now().plus(kFirstPause);
      co_return false;  // nothing has changed since there was nothing left to do
    }
    job->second.told.state = LostPeer::State::Running;
    rank = job->second.rank;
    own_stop = job->second.stop;
    told = job->second.told;
  }
  told.pins = told.left_to_others = told.too_few_peers = 0;
  const size_t moved_before = told.moved;
  const auto snapshot = core_.snapshot();
  Cid after;
  ClusterView view = core_.view();
  while (true) {
    if (stop.stop_requested() || own_stop->stop_requested() || view.cut_off()) {
      co_return told.moved > moved_before;
    }
    auto read = [this, lost, after, rank, view, snapshot] {
      return repin_page(lost, after, rank, view, snapshot);
    };
    Result<Page> looked = co_await run_on(core_.parts.disk, std::move(read));
    CO_TRY(Page page, std::move(looked));
    const Duration wait = repin_rate_.take(page.changes.size(), core_.parts.clock.steady());
    if (wait > Duration::zero()) {
      const Status slept = co_await sleep_for(wait, stop);
      if (!slept || own_stop->stop_requested()) {
        co_return told.moved > moved_before;
      }
    }
    for (const auto& [before, changed] : page.changes) {
      core_.placements.placed(before.allocations.items, changed.allocations.items,
                              view.free_space());
    }
    const Result<size_t> written = co_await write(std::move(page.changes));
    if (!written) {
      co_return fail(written.error());
    }
    told.moved += *written;
    told.pins += page.pins;
    told.left_to_others += page.left_to_others;
    told.too_few_peers += page.too_few_peers;
    after = page.last;
    view = core_.view();
    if (page.end) {
      break;
    }
    tell(told);
  }
  finish_pass(told, view);
  if (told.moved > moved_before) {
    log_info("cluster", "{} pins of {}, which is gone, were given new places",
             told.moved - moved_before, lost);
  }
  co_return told.moved > moved_before;
}

Orchestrator::Job* Orchestrator::job_of(const LostPeer& told) {
  const auto found = jobs_.find(told.peer);
  return found == jobs_.end() || found->second.told.since != told.since ? nullptr : &found->second;
}

void Orchestrator::tell(const LostPeer& told) {
  const std::lock_guard lock(mutex_);
  if (Job* job = job_of(told)) {
    job->told = told;
  }
}

void Orchestrator::finish_pass(const LostPeer& told, const ClusterView& view) {
  const std::lock_guard lock(mutex_);
  Job* const of_told = job_of(told);
  if (of_told == nullptr) {
    return;
  }
  Job& job = *of_told;
  job.told = told;
  if (told.left_to_others > 0) {
    // If those that are nearer do not act by then, this peer does.
    job.told.state = LostPeer::State::Running;
    job.rank += 1;
    job.next_pass = view.now.plus(step_delay());
    return;
  }
  job.rank = 0;
  job.told.state = told.too_few_peers > 0 ? LostPeer::State::Short : LostPeer::State::Settled;
  job.pause = job.pause == Duration::zero() ? kFirstPause
                                            : std::min<Duration>(job.pause * 2, kLongestPause);
  if (job.alive != view.alive.size()) {
    job.pause = kFirstPause;
  }
  job.next_pass = view.now.plus(job.pause);
  job.digest = core_.parts.pinset.info().digest;
  job.alive = view.alive.size();
}

}  // namespace ica::cluster
