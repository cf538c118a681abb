#include "agent/cluster/rebalance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "agent/cluster/contains.h"
#include "agent/cluster/core.h"
#include "agent/cluster/holders.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr std::string_view kRunningKey = "cluster/rebalance";
constexpr uint64_t kSlackPins = 10;
constexpr uint64_t kSlackPercent = 2;
constexpr size_t kPage = 256;
constexpr size_t kMaxMoving = 200;
constexpr size_t kMaxBegun = 100'000;
constexpr Duration kAskLimit = std::chrono::seconds(5);
constexpr Duration kPause = std::chrono::seconds(1);

// Different values of one tag among these peers.
size_t spread(const std::vector<api::Metric>& tag, const std::vector<PeerId>& peers) {
  std::set<std::string_view> values;
  for (const api::Metric& metric : tag) {
    if (metric.partitionable && contains(peers, metric.peer)) {
      values.insert(metric.value);
    }
  }
  return values.size();
}

}  // namespace

RebalancePlan plan_rebalance(std::vector<PeerLoad> peers, uint64_t pin_bytes) {
  RebalancePlan plan;
  plan.pin_bytes = std::max<uint64_t>(pin_bytes, 1);
  uint64_t total = 0;
  double capacity = 0;
  const auto disk = [&plan](const PeerLoad& load) {
    return static_cast<double>(load.free) +
           static_cast<double>(load.pins) * static_cast<double>(plan.pin_bytes) + 1;
  };
  for (const PeerLoad& load : peers) {
    total += load.pins;
    capacity += disk(load);
  }
  for (PeerLoad& load : peers) {
    load.target =
        static_cast<uint64_t>(std::llround(static_cast<double>(total) * disk(load) / capacity));
    const uint64_t slack = std::max(kSlackPins, load.target * kSlackPercent / 100);
    if (load.pins > load.target + slack) {
      plan.pins += load.pins - load.target;
    }
  }
  plan.bytes = plan.pins * plan.pin_bytes;
  plan.peers = std::move(peers);
  return plan;
}

PeerId choose_taker(const api::Pin& pin, const PeerId& from, const std::map<PeerId, uint64_t>& room,
                    const ClusterView& view) {
  PeerId best;
  uint64_t most = 0;
  for (const auto& [peer, left] : room) {
    if (left <= most || contains(pin.allocations.items, peer) || !view.is_alive(peer) ||
        contains(view.closed, peer)) {
      continue;
    }
    std::vector<PeerId> after = pin.allocations.items;
    std::replace(after.begin(), after.end(), from, peer);
    const bool spreads =
        std::all_of(view.metrics.begin(), view.metrics.end(), [&](const auto& entry) {
          return spread(entry.second, after) >= spread(entry.second, pin.allocations.items);
        });
    if (spreads) {
      best = peer;
      most = left;
    }
  }
  return best;
}

// Pins that take about this much, judged by those of this peer.
uint64_t Orchestrator::pin_bytes() const {
  const auto space = core_.parts.monitor.last_of("reposize", core_.parts.self);
  const uint64_t repo =
      space ? static_cast<uint64_t>(std::max<int64_t>(-space->weight, 0)) : repo_bytes_.load();
  const uint64_t pins = core_.parts.tracker.counts().pinned;
  return pins == 0 || repo == 0 ? uint64_t{1} << 20 : std::max<uint64_t>(repo / pins, 1);
}

Task<Result<RebalancePlan>> Orchestrator::rebalance_plan(StopToken stop) {
  const auto stat = co_await core_.parts.connector.repo_stat(stop);
  if (stat) {
    repo_bytes_ = stat->repo_size;
  }
  const ClusterView view = core_.view();
  std::vector<PeerLoad> loads;
  for (const PeerId& peer : allocator::order(view.metrics, view.allocate_by)) {
    if (contains(view.closed, peer) || (view.eligible && !view.eligible(peer))) {
      continue;
    }
    PeerLoad load;
    load.peer = peer;
    const auto space = core_.parts.monitor.last_of(kFreeSpace, peer);
    load.free = space ? static_cast<uint64_t>(std::max<int64_t>(space->weight, 0)) : 0;
    Result<DrainStatus> count = co_await drain_status(peer);
    if (!count) {
      co_return fail(std::move(count.error()));
    }
    load.pins = count->remaining;
    loads.push_back(std::move(load));
  }
  std::sort(loads.begin(), loads.end(),
            [](const PeerLoad& a, const PeerLoad& b) { return a.peer < b.peer; });
  co_return plan_rebalance(std::move(loads), pin_bytes());
}

Status Orchestrator::save_running(Saved state) {
  if (core_.parts.store == nullptr) {
    return {};
  }
  store::Batch batch;
  batch.put(store::Family::Meta, kRunningKey, Bytes(1, static_cast<char>(state)));
  return core_.parts.store->commit(std::move(batch), store::Sync::Yes);
}

void Orchestrator::load_running() {
  if (core_.parts.store == nullptr) {
    return;
  }
  const auto stored = core_.parts.store->get(store::Family::Meta, kRunningKey);
  const auto is = [&stored](Saved state) {
    return stored && *stored && **stored == Bytes(1, static_cast<char>(state));
  };
  only_finish_ = is(Saved::Stopping);
  rebalance_.running = only_finish_ || is(Saved::Running);
}

Task<Status> Orchestrator::rebalance_start() {
  if (core_.cluster().follower_mode) {
    co_return fail(Code::Internal, "{}", kFollower);
  }
  {
    const std::lock_guard lock(mutex_);
    if (rebalance_.running) {
      co_return Status();
    }
    rebalance_ = {};
    rebalance_.running = true;
    only_finish_ = false;
    run_.reset();
  }
  auto save = [this] { return save_running(Saved::Running); };
  co_return co_await run_on(core_.parts.disk, std::move(save));
}

Task<Status> Orchestrator::rebalance_stop() {
  Saved state = Saved::No;
  {
    const std::lock_guard lock(mutex_);
    // What was added already is still taken away from where it was; nothing more is begun.
    if (run_) {
      run_->stopping = true;
      state = Saved::Stopping;
    } else if (only_finish_) {
      state = Saved::Stopping;
    } else {
      rebalance_.running = false;
    }
    rebalance_.stopped = "by request";
  }
  auto save = [this, state] { return save_running(state); };
  co_return co_await run_on(core_.parts.disk, std::move(save));
}

RebalanceStatus Orchestrator::rebalance_status() const {
  const std::lock_guard lock(mutex_);
  return rebalance_;
}

// Moves that a peer began which then died, here or elsewhere: pins with more peers than their
// maximum. The one that has most to give leaves.
Task<Result<std::vector<std::pair<Cid, PeerId>>>> Orchestrator::begun_moves(
    std::shared_ptr<const RebalancePlan> plan) {
  std::vector<std::pair<Cid, PeerId>> out;
  const auto surplus = [this, plan](const PeerId& peer) {
    const auto load = std::find_if(plan->peers.begin(), plan->peers.end(),
                                   [&peer](const PeerLoad& l) { return l.peer == peer; });
    return load != plan->peers.end()
               ? static_cast<int64_t>(load->pins) - static_cast<int64_t>(load->target)
           : core_.closed(peer) ? std::numeric_limits<int64_t>::max()
                                : std::numeric_limits<int64_t>::min();
  };
  const auto snapshot = core_.snapshot();
  Cid after;
  while (out.size() < kMaxBegun) {
    Result<std::vector<api::Pin>> looked = co_await crowded_page(after, snapshot);
    CO_TRY(const auto pins, std::move(looked));
    if (pins.empty()) {
      break;
    }
    after = pins.back().cid;
    for (const api::Pin& pin : pins) {
      const auto& peers = pin.allocations.items;
      out.emplace_back(pin.cid, *std::max_element(peers.begin(), peers.end(),
                                                  [&surplus](const auto& a, const auto& b) {
                                                    return surplus(a) < surplus(b);
                                                  }));
    }
  }
  co_return out;
}

Task<Result<bool>> Orchestrator::begin_run(StopToken stop) {
  CO_TRY(auto made, co_await rebalance_plan(std::move(stop)));
  const auto plan = std::make_shared<const RebalancePlan>(std::move(made));
  auto run = std::make_shared<Run>();
  CO_TRY(run->moving, co_await begun_moves(plan));
  for (const PeerLoad& load : plan->peers) {
    const uint64_t slack = std::max(kSlackPins, load.target * kSlackPercent / 100);
    if (load.pins > load.target + slack) {
      run->from.push_back({load.peer, load.pins - load.target, Cid()});
    } else if (load.pins < load.target) {
      run->room[load.peer] = load.target - load.pins;
    }
  }
  const std::lock_guard lock(mutex_);
  run->stopping = only_finish_;
  only_finish_ = false;
  run_ = std::move(run);
  rebalance_.left = plan->pins;
  co_return true;
}

// One of the pin's peers that has been away for longer than the grace; empty when there is none.
PeerId Orchestrator::given_up(const api::Pin& pin, const ClusterView& view) const {
  const std::lock_guard lock(mutex_);
  for (const PeerId& peer : pin.allocations.items) {
    const auto job = jobs_.find(peer);
    if (job != jobs_.end() && !view.is_alive(peer) && job->second.told.due <= view.now) {
      return peer;
    }
  }
  return {};
}

// Whether the move is over: the pin has left the peer, or does not need to any more.
Task<Result<bool>> Orchestrator::finish_move(Cid cid, PeerId from,
                                             std::shared_ptr<const ClusterView> view,
                                             StopToken stop) {
  auto pin = core_.pin_get(cid);
  if (!pin || !pin->allocated_to(from) || !crdt::crowded(*pin)) {
    co_return true;
  }
  const std::vector<PeerId> others = others_alive(*pin, from, *view);
  HeldBy answers = co_await ask_holders(core_, cid, others, kAskLimit, stop);
  co_return co_await take_away(*std::move(pin), from, std::move(answers), view, stop);
}

Task<Result<bool>> Orchestrator::take_away(api::Pin pin, PeerId from, HeldBy answers,
                                           std::shared_ptr<const ClusterView> view,
                                           StopToken stop) {
  const size_t max = crdt::most_copies(pin);
  const std::vector<PeerId> others = others_alive(pin, from, *view);
  const auto holds = [&answers](const PeerId& peer) {
    const auto answer = answers.find(peer);
    return answer != answers.end() && answer->second == Held::Yes;
  };
  const auto holding = static_cast<size_t>(std::count_if(others.begin(), others.end(), holds));
  // Peers that are away are not waited for: it is enough that there are as many copies as before.
  const auto min = static_cast<size_t>(std::max(pin.options.replication_factor_min, 1));
  PeerId leaves = from;
  if (holding < std::max(min, std::min(max, others.size()))) {
    // One that will hardly come back takes up the room: then it leaves in place of `from`.
    leaves = given_up(pin, *view);
    if (leaves.empty() || leaves == from || !view->is_alive(from)) {
      co_return false;
    }
    if (!answers.contains(from)) {
      std::vector<PeerId> asked{from};
      HeldBy own = co_await ask_holders(core_, pin.cid, std::move(asked), kAskLimit, stop);
      answers.merge(own);
    }
    const size_t all = holding + (holds(from) ? 1 : 0);
    if (all < std::max(min, std::min(max, others.size() + 1))) {
      co_return false;
    }
  }
  api::Pin changed = pin;
  std::erase(changed.allocations.items, leaves);
  keep_best(changed.allocations.items, max, answers, *view);  // of two moves at once
  const Result<bool> written =
      co_await core_.parts.pinset.replace(std::move(pin), std::move(changed));
  if (!written) {
    co_return fail(written.error());
  }
  const std::lock_guard lock(mutex_);
  if (*written && rebalance_.running) {
    ++rebalance_.moved;
    rebalance_.left -= std::min<uint64_t>(rebalance_.left, 1);
  }
  co_return *written;
}

// Adds takers for the next pins of a peer that has too many.
Task<Result<bool>> Orchestrator::begin_moves(std::shared_ptr<Run> run, ClusterView view) {
  Run::From& from = run->from.back();
  auto read = [this, peer = from.peer, after = from.after]() -> Result<std::vector<api::Pin>> {
    TRY(const auto cids, core_.parts.pinset.allocated_to(peer, after, kPage, nullptr));
    return core_.pins_of(cids, nullptr);
  };
  CO_TRY(auto pins, co_await run_on(core_.parts.disk, std::move(read)));
  std::vector<std::pair<api::Pin, api::Pin>> changes;
  std::vector<std::pair<Cid, PeerId>> begun;
  const PeerId peer = from.peer;
  for (api::Pin& pin : pins) {
    if (from.left == 0 || run->moving.size() + begun.size() >= kMaxMoving) {
      break;
    }
    from.after = pin.cid;
    if (crdt::crowded(pin)) {
      continue;  // on its way already
    }
    const PeerId taker = choose_taker(pin, peer, run->room, view);
    if (taker.empty()) {
      continue;
    }
    api::Pin changed = pin;
    changed.allocations.items.push_back(taker);
    changed.timestamp = view.now;
    --from.left;
    --run->room[taker];
    begun.emplace_back(pin.cid, peer);
    changes.emplace_back(std::move(pin), std::move(changed));
  }
  const bool over = from.left == 0 || pins.size() < kPage;
  const Result<size_t> written = co_await write(std::move(changes));
  if (!written) {
    co_return fail(written.error());
  }
  const std::lock_guard lock(mutex_);
  run->moving.insert(run->moving.end(), begun.begin(), begun.end());
  if (over && !run->from.empty() && run->moving.size() < kMaxMoving) {
    run->from.pop_back();
  }
  co_return !begun.empty();
}

Task<Result<bool>> Orchestrator::rebalance_pass(StopToken stop) {
  std::shared_ptr<Run> run;
  {
    const std::lock_guard lock(mutex_);
    if (!rebalance_.running || core_.now() < next_rebalance_) {
      co_return false;
    }
    run = run_;
  }
  if (!run) {
    co_return co_await begin_run(stop);
  }
  const auto view = std::make_shared<const ClusterView>(core_.view());
  if (view->cut_off()) {
    co_return false;
  }
  std::vector<std::pair<Cid, PeerId>> moving;
  {
    const std::lock_guard lock(mutex_);
    moving.swap(run->moving);
  }
  std::vector<Task<Result<bool>>> tasks;
  tasks.reserve(moving.size());
  for (const auto& [cid, from] : moving) {
    tasks.push_back(finish_move(cid, from, view, stop));
  }
  std::vector<Result<bool>> outcomes = co_await gather(std::move(tasks));
  {
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i] || !*outcomes[i]) {
        run->moving.push_back(moving[i]);
      }
    }
  }
  const Duration wait = move_rate_.take(moving.size(), core_.parts.clock.steady());
  if (wait > Duration::zero()) {
    (void)co_await sleep_for(wait, stop);
  }
  if (!run->stopping && !run->from.empty() && run->moving.size() < kMaxMoving) {
    const Result<bool> begun = co_await begin_moves(run, *view);
    if (!begun) {
      co_return fail(begun.error());
    }
  }
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    rebalance_.waiting = run->moving.size();
    next_rebalance_ = core_.now().plus(kPause);
    over = (run->stopping || run->from.empty()) && run->moving.empty();
    if (over) {
      rebalance_.running = false;
      rebalance_.left = 0;
      if (rebalance_.stopped.empty()) {
        rebalance_.stopped = "done";
      }
      run_.reset();
    }
  }
  if (over) {
    log_info("cluster", "rebalancing has ended");
    auto save = [this] { return save_running(Saved::No); };
    const Status saved = co_await run_on(core_.parts.disk, std::move(save));
    if (!saved) {
      co_return fail(saved.error());
    }
  }
  co_return true;
}

}  // namespace ica::cluster
