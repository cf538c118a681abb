#include "agent/cluster/orchestrator.h"

#include "agent/cluster/core.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr std::string_view kOrdersKey = "cluster/peer-orders";
constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kShortestTick = std::chrono::milliseconds(100);
// A peer that was not seen for this long does not count among those that could be there.
constexpr Duration kForgetPeer = std::chrono::hours(1);

std::vector<PeerId> sorted_set(std::vector<PeerId> peers) {
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

Status as_status(const Result<bool>& result) {
  return result ? Status() : Status(fail(result.error()));
}

}  // namespace

std::string_view to_string(LostPeer::State state) {
  switch (state) {
    case LostPeer::State::Waiting:
      return "waiting";
    case LostPeer::State::Running:
      return "running";
    case LostPeer::State::Settled:
      return "settled";
    case LostPeer::State::Short:
      return "too few peers";
  }
  ICA_UNREACHABLE();
}

ClusterView Cluster::Core::view() const {
  ClusterView out;
  out.now = now();
  out.self = parts.self;
  out.alive = members();
  for (const auto& seen : parts.monitor.seen()) {
    if (seen.peer != parts.self && seen.expire.plus(kForgetPeer) > out.now) {
      ++out.known;
    }
  }
  ++out.known;
  for (const auto& [peer, order] : states.orders()) {
    if (order.mode != PeerMode::Active) {
      out.closed.push_back(peer);
    }
  }
  const bool follower = cluster().follower_mode;
  if (!follower) {
    out.movers.push_back(parts.self);
    if (!cluster().disable_repinning) {
      out.deciders.push_back(parts.self);
    }
  }
  for (const api::Metric& metric : parts.monitor.latest(kAgentMetric)) {
    if (metric.peer == parts.self || !out.is_alive(metric.peer) || !trusted(metric.peer)) {
      continue;
    }
    out.movers.push_back(metric.peer);
    if (decode_agent(metric.value).decides) {
      out.deciders.push_back(metric.peer);
    }
  }
  out.movers = sorted_set(std::move(out.movers));
  out.deciders = sorted_set(std::move(out.deciders));
  out.allocate_by = parts.config.allocator.allocate_by;
  for (const std::string& name : out.allocate_by) {
    auto& list = out.metrics[name] = parts.monitor.latest(name);
    std::erase_if(list, [&out](const api::Metric& m) { return !out.is_alive(m.peer); });
    if (name == kFreeSpace) {
      placements.discount(list);
    }
  }
  out.eligible = eligible();
  return out;
}

Orchestrator::Orchestrator(Cluster::Core& core)
    : core_(core),
      started_(core.now()),
      repin_rate_(core.parts.config.agent.repin_rate),
      move_rate_(core.parts.config.agent.move_rate) {
  if (core_.parts.store != nullptr) {
    const auto stored = core_.parts.store->get(store::Family::Meta, kOrdersKey);
    if (stored && stored->has_value()) {
      core_.states.load(**stored);
    }
    load_running();
  }
}

Orchestrator::~Orchestrator() = default;

Task<void> Orchestrator::watch_loop(StopToken stop) {
  const auto& grace = core_.parts.config.agent.repin_grace;
  const Duration tick = std::clamp<Duration>(grace / 4, kShortestTick, kTick);
  while (true) {
    const Status slept = co_await sleep_for(tick, stop);
    if (!slept) {
      co_return;
    }
    const Status seen = co_await observe();
    static LogLimiter limiter;
    if (!seen && limiter.allow("observe")) {
      log_error("cluster", "looking for lost peers: {}", seen.error().message());
    }
  }
}

Task<void> Orchestrator::work_loop(StopToken stop) {
  const auto& grace = core_.parts.config.agent.repin_grace;
  const Duration tick = std::clamp<Duration>(grace / 4, kShortestTick, kTick);
  while (!stop.stop_requested()) {
    auto worked = co_await work(stop);
    static LogLimiter limiter;
    if (!worked && !stop.stop_requested() && limiter.allow("work")) {
      log_error("cluster", "moving pins: {}", worked.error().message());
    }
    const Status slept = co_await sleep_for(tick, stop);
    if (!slept) {
      co_return;
    }
  }
}

bool Orchestrator::own_closed() const {
  return core_.closed(core_.parts.self);
}

std::string Orchestrator::agent_value() const {
  AgentValue value;
  value.mode = core_.states.mode_of(core_.parts.self);
  value.decides = !core_.cluster().disable_repinning && !core_.cluster().follower_mode;
  value.orders = core_.states.orders();
  return encode_agent(value);
}

PeerOrders Orchestrator::orders() const {
  return core_.states.orders();
}

Status Orchestrator::save_orders() {
  if (core_.parts.store == nullptr) {
    return {};
  }
  store::Batch batch;
  batch.put(store::Family::Meta, kOrdersKey, core_.states.encode());
  return core_.parts.store->commit(std::move(batch), store::Sync::Yes).context("orders to peers");
}

Task<Status> Orchestrator::order(PeerId peer, PeerMode mode) {
  if (core_.cluster().follower_mode) {
    co_return fail(Code::Internal, "{}", kFollower);
  }
  CO_TRY_VOID(core_.states.set(peer, mode, core_.now()));
  log_info("cluster", "peer {} is {} from now on, by request", peer, to_string(mode));
  auto save = [this] { return save_orders(); };
  co_return co_await run_on(core_.parts.disk, std::move(save));
}

Task<Status> Orchestrator::observe() {
  const ClusterView view = core_.view();
  bool news = false;
  for (const api::Metric& metric : core_.parts.monitor.latest(kAgentMetric)) {
    // Whoever may not write the pinset does not give orders either.
    if (metric.peer != core_.parts.self && core_.trusted(metric.peer)) {
      news = core_.states.adopt(decode_agent(metric.value).orders, view.now) || news;
    }
  }
  core_.states.forget_old(view.now);
  if (news) {
    log_info("cluster", "orders to peers came from another peer");
    auto save = [this] { return save_orders(); };
    const Status saved = co_await run_on(core_.parts.disk, std::move(save));
    CO_TRY_VOID(saved);
  }
  auto read = [this] { return core_.parts.pinset.allocated_peers(); };
  CO_TRY(const auto allocated, co_await run_on(core_.parts.disk, std::move(read)));
  update_jobs(view, allocated);
  co_return Status();
}

// Jobs for peers that pins are allocated to and that are not there; whatever ran for a peer that is
// back ends.
void Orchestrator::update_jobs(const ClusterView& view, const std::vector<PeerId>& allocated) {
  const auto& settings = core_.parts.config;
  std::map<PeerId, Time> expired;
  for (const auto& seen : core_.parts.monitor.seen()) {
    expired.emplace(seen.peer, seen.expire);
  }
  const std::lock_guard lock(mutex_);
  told_.enabled = !view.deciders.empty() &&
                  std::binary_search(view.deciders.begin(), view.deciders.end(), view.self);
  if (view.cut_off() != told_.cut_off) {
    log_warn("cluster", "{} of {} peers are in sight: {}", view.alive.size(), view.known,
             view.cut_off() ? "no pins get new places until most are back"
                            : "lost peers' pins get new places again");
  }
  told_.cut_off = view.cut_off();
  told_.alive = view.alive.size();
  told_.known = view.known;
  std::erase_if(jobs_, [&](auto& entry) {
    const bool back = view.is_alive(entry.first);
    const bool needless =
        std::find(allocated.begin(), allocated.end(), entry.first) == allocated.end();
    if (!back && !needless) {
      return false;
    }
    end_job(entry.second, back, view.now);
    return true;
  });
  for (auto& [peer, job] : jobs_) {
    if (job.told.state == LostPeer::State::Short && view.alive.size() > job.alive) {
      job.next_pass = std::min(job.next_pass, view.now);  // there may be room now
    }
  }
  for (const PeerId& peer : allocated) {
    if (peer == view.self || view.is_alive(peer) || jobs_.contains(peer)) {
      continue;
    }
    // Of a peer that was never heard of nobody knows how long it has been away; its first ping may
    // be on its way.
    const auto last = expired.find(peer);
    const Time since = last != expired.end()
                           ? last->second
                           : started_.plus(settings.cluster.monitor_ping_interval * 3);
    if (since > view.now) {
      continue;
    }
    Job job;
    job.told.peer = peer;
    job.told.since = since;
    job.told.due = job.told.since.plus(settings.agent.repin_grace);
    job.next_pass = job.told.due;
    job.stop = std::make_shared<StopSource>();
    log_warn("cluster", "peer {} is gone{}", peer,
             told_.enabled
                 ? fmt::format("; its pins get new places from {} on", job.told.due.utc().rfc3339())
                 : "");
    jobs_.emplace(peer, std::move(job));
  }
}

void Orchestrator::end_job(const Job& job, bool back, Time now) {
  job.stop->request_stop();
  const LostPeer& told = job.told;
  log_info("cluster", "peer {} {}; {} of its pins were given new places here", told.peer,
           back ? "is back" : "is gone and no pin is allocated to it any more", told.moved);
  if (now < told.due && told.moved == 0) {
    return;  // a restart is nothing to remember
  }
  if (told_.past.size() == RepinStatus::kPast) {
    told_.past.erase(told_.past.begin());
  }
  told_.past.push_back({told.peer, told.since, now, back, told.moved});
}

Task<Result<bool>> Orchestrator::work(StopToken stop) {
  const Time now = core_.now();
  bool did = false;
  std::vector<PeerId> lost;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [peer, job] : jobs_) {
      if (told_.enabled && !told_.cut_off && job.next_pass <= now) {
        lost.push_back(peer);
      }
    }
  }
  for (const PeerId& peer : lost) {
    const Result<bool> moved = co_await repin_pass(peer, stop);
    CO_TRY_VOID(as_status(moved));
    did = did || *moved;
  }
  for (const auto& [peer, order] : core_.states.orders()) {
    if (order.mode == PeerMode::Draining) {
      const Result<bool> moved = co_await drain_pass(peer, false, stop);
      CO_TRY_VOID(as_status(moved));
      did = did || *moved;
    }
  }
  std::vector<PeerId> taken_back;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [peer, drain] : drains_) {
      if (!drain.over && core_.states.mode_of(peer) != PeerMode::Draining) {
        taken_back.push_back(peer);
      }
    }
  }
  for (const PeerId& peer : taken_back) {
    const Result<bool> moved = co_await drain_pass(peer, true, stop);
    CO_TRY_VOID(as_status(moved));
    did = did || *moved;
  }
  const Result<bool> rebalanced = co_await rebalance_pass(stop);
  CO_TRY_VOID(as_status(rebalanced));
  const Result<bool> finished = co_await leftover_pass(stop);
  CO_TRY_VOID(as_status(finished));
  co_return did || *rebalanced || *finished;
}

RepinStatus Orchestrator::repin_status() const {
  const std::lock_guard lock(mutex_);
  RepinStatus out = told_;
  out.grace = core_.parts.config.agent.repin_grace;
  for (const auto& [peer, job] : jobs_) {
    out.peers.push_back(job.told);
  }
  return out;
}

// How long each further peer waits for the nearer ones.
Duration Orchestrator::step_delay() const {
  return std::max<Duration>(core_.cluster().monitor_ping_interval * 2, kTick);
}

Task<Result<size_t>> Orchestrator::write(std::vector<std::pair<api::Pin, api::Pin>> changes) {
  std::vector<Task<Result<bool>>> tasks;
  tasks.reserve(changes.size());
  for (auto& [before, after] : changes) {
    tasks.push_back(core_.parts.pinset.replace(std::move(before), std::move(after)));
  }
  size_t done = 0;
  std::vector<Result<bool>> outcomes = co_await gather(std::move(tasks));
  for (const auto& outcome : outcomes) {
    if (!outcome) {
      co_return fail(outcome.error());
    }
    done += *outcome ? 1 : 0;
  }
  co_return done;
}

}  // namespace ica::cluster
