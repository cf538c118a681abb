#include "tests/sim/orchestration/world.h"

#include "agent/cluster/peer_states.h"

namespace ica::sim::orchestration {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPingTtl = kPingEvery * 2;
constexpr Duration kDiskTtl = 20s;
constexpr Duration kRecoverEvery = 60s;
constexpr Duration kSurplusDelay = 10s;
constexpr int64_t kStart = 1'700'000'000;

PeerId peer_id(size_t n) {
  Bytes bytes("\x00\x24\x08\x01\x12\x20", 6);
  bytes += Bytes(31, 'p');
  bytes.push_back(static_cast<char>('a' + n));
  return PeerId::from_bytes(bytes).value();
}

bool due(int64_t second, size_t n, Duration period) {
  const auto every = std::chrono::duration_cast<std::chrono::seconds>(period).count();
  return (second + static_cast<int64_t>(n)) % every == 0;
}

Task<void> end_tracker(std::shared_ptr<tracker::PinTracker> tracker) {
  co_await tracker->stop();
}

Task<api::Metric> give(api::Metric metric) {
  co_return metric;
}

Task<Status> ignore_batch(std::vector<tracker::TrackedPin>) {
  co_return Status();
}

}  // namespace

Task<Result<api::PinInfo>> SimGroup::status(PeerId peer, Cid cid, Duration, StopToken) {
  orchestration::Peer* other = world_.find(peer);
  if (other == nullptr || !world_.reach(world_.peer(peer_), *other)) {
    co_return fail(Code::Unavailable, "dial backoff");
  }
  api::PinInfo info;
  info.cid = cid;
  info.info.status = other->status(cid);
  co_return info;
}

// ---- one peer

Peer::Peer(World& w, size_t number)
    : world(w),
      n(number),
      id(peer_id(number)),
      // Clocks differ by up to two seconds.
      clock(Time::from_unix(kStart).plus(std::chrono::milliseconds(w.below(4000)) - 2s)),
      pinset(number, store,
             {[this](const Write& write) { world.publish(n, write); },
              [this](const api::Pin& before, const api::Pin& after) {
                world.referee().replaced(n, before, after);
              }}),
      kubo(std::make_shared<SimKubo>(w, number)),
      group(w, number) {
  config.agent.repin_grace = kGrace;
  config.agent.repin_rate = 0;
  config.agent.move_rate = 0;
  config.cluster.monitor_ping_interval = kPingEvery;
}

cluster::Parts Peer::parts() {
  cluster::Parts out{id,    config,   clock, pinset,   *tracker,
                     *kubo, *monitor, group, importer, world.executor()};
  out.store = &store;
  return out;
}

void Peer::start() {
  started = clock.now();
  world.referee().started(n);
  tracker::PinTrackerOptions options;
  options.self = id;
  options.retry.max_delay = kRecoverEvery;
  options.away_wait = Duration::zero();
  options.surplus_delay = kSurplusDelay;
  options.seed = n + 1;
  const Executor executor = world.executor();
  tracker = must(tracker::PinTracker::open(options, {executor, executor, executor}, store, pinset,
                                           kubo, clock),
                 "a tracker");
  pinset.observe(*tracker);
  monitor = std::make_unique<monitor::Monitor>(clock);
  disk = std::make_shared<monitor::DiskGuard>(clock, monitor::DiskLimits{});
  publisher = std::make_unique<monitor::Publisher>(
      *monitor, clock, id, [this](const api::Metric& metric) { world.send(*this, metric); });
  cluster = std::make_unique<cluster::Cluster>(parts());
  tracker->set_gates({.paused = [guard = disk] { return guard->full(); },
                      .may_release = cluster->release_gate(),
                      .ended = nullptr});
  tracker->start();
}

api::TrackerStatus Peer::status(const Cid& cid) const {
  return must(tracker->status(cid), "a status").local.status;
}

Task<void> Peer::tell(std::string name, Duration ttl, api::Metric metric) {
  const monitor::Informer informer{std::move(name), ttl, ttl / 2,
                                   [metric] { return give(metric); }};
  co_await publisher->publish(informer);
}

// What the loops of the agent do in this second.
Task<void> Peer::turn(int64_t second) {
  const StopToken stop;
  if (due(second, n, kPingEvery)) {
    api::Metric ping = monitor::ping_metric(monitor::PingValue());
    co_await tell(std::string(monitor::kPing), kPingTtl, std::move(ping));
    api::Metric agent = monitor::tag_metric(orchestrator().agent_value());
    co_await tell(std::string(cluster::kAgentMetric), kPingTtl, std::move(agent));
    world.referee().alerts(n, monitor->check());
  }
  if (due(second, n, kDiskTtl / 2)) {
    const auto stat = co_await kubo->repo_stat(stop);
    if (stat) {
      disk->update(stat->repo_size, stat->storage_max, std::nullopt);
    }
    api::Metric tag = monitor::tag_metric(world.group_of(n));
    co_await tell("tag:group", kDiskTtl, std::move(tag));
    const auto reading = disk->reading();
    // As cluster/background.cc: nobody allocates to a peer that tells no free space.
    if (reading && kubo->reachable() && !reading->full && !orchestrator().own_closed()) {
      api::Metric space = monitor::freespace_metric(0, reading->free);
      co_await tell("freespace", kDiskTtl, std::move(space));
    }
  }
  if (due(second, n, kRecoverEvery) || clock.now().since(started) < 2s) {
    (void)co_await tracker->reconcile(stop);
    std::function<Task<Status>(std::vector<tracker::TrackedPin>)> ignore = &ignore_batch;
    (void)co_await tracker->recover_all(std::move(ignore), stop);
  }
  if (due(second, n, 2s)) {
    const Status seen = co_await orchestrator().observe();
    ICA_ASSERT(seen.has_value());
    const auto worked = co_await orchestrator().work(stop);
    ICA_ASSERT(worked.has_value());
  }
}

// ---- all of them

World::World(uint64_t seed) : random_(seed) {
  groups_ = below(2) == 0 ? 1 : 3;
  for (size_t n = 0; n < kPeers; ++n) {
    peers_.push_back(std::make_unique<Peer>(*this, n));
  }
  for (size_t n = 0; n < kPeers; ++n) {
    start(n);
  }
}

World::~World() {
  for (size_t n = 0; n < kPeers; ++n) {
    if (peers_[n]->up()) {
      kill(n);
    }
  }
  const auto ended = [this] {
    return std::all_of(ending_.begin(), ending_.end(), [](const auto& t) { return t.expired(); });
  };
  while (!ended()) {
    context_.restart();
    context_.run_one_for(1ms);
  }
}

Peer* World::find(const PeerId& id) {
  for (const auto& peer : peers_) {
    if (peer->id == id) {
      return peer.get();
    }
  }
  return nullptr;
}

void World::kill(size_t n) {
  Peer& peer = *peers_[n];
  // Operations on their way end without an outcome, as when the process dies.
  ending_.push_back(peer.tracker);
  spawn(executor(), end_tracker(std::move(peer.tracker)), "the end of a tracker");
  settle();
  peer.cluster.reset();
  peer.publisher.reset();
  peer.monitor.reset();
  peer.disk.reset();
}

bool World::in_sight(size_t n, const Cid& cid) {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& other) {
    return reach(*peers_[n], *other) && other->kubo->mood == SimKubo::Mood::Well &&
           other->kubo->held.contains(cid);
  });
}

void World::publish(size_t from, const Write& write) {
  for (const auto& to : peers_) {
    if (to->n != from) {
      mail_.push_back({second_ + static_cast<int64_t>(below(3)), to->n, write});
    }
  }
}

void World::send(Peer& from, const api::Metric& metric) {
  referee_.metric(from.n, metric);
  for (const auto& to : peers_) {
    if (to->n == from.n || !reach(from, *to)) {
      continue;
    }
    if (from.quiet || below(100) < loss) {
      ++referee_.counters.lost_metrics;
    } else if (to->monitor->add(metric)) {
      referee_.metric(to->n, metric);
    }
  }
}

// Whoever knows of a change tells it, also when its writer has died.
bool World::can_hear(const Mail& mail) const {
  const Peer& to = *peers_[mail.to];
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& from) {
    return reach(*from, to) && from->pinset.knows(mail.write);
  });
}

// Peers that can talk and have something to tell each other do so in the end.
void World::deliver() {
  std::vector<Mail> rest;
  for (Mail& mail : std::exchange(mail_, {})) {
    if (mail.due > second_ || !can_hear(mail)) {
      rest.push_back(std::move(mail));
    } else {
      peers_[mail.to]->pinset.apply(mail.write);
    }
  }
  mail_.insert(mail_.end(), std::make_move_iterator(rest.begin()),
               std::make_move_iterator(rest.end()));
}

bool World::mail_waits() const {
  return std::any_of(mail_.begin(), mail_.end(),
                     [this](const Mail& mail) { return can_hear(mail); });
}

void World::settle() {
  do {
    context_.restart();
  } while (context_.poll() > 0);
}

void World::tick() {
  ++second_;
  ++referee_.counters.seconds;
  for (const auto& peer : peers_) {
    peer->clock.advance(1s);
  }
  for (size_t i = 0; i < later_.size();) {
    if (later_[i].first > second_) {
      ++i;
      continue;
    }
    const auto run = std::move(later_[i].second);
    later_.erase(later_.begin() + static_cast<ptrdiff_t>(i));
    run();
  }
  deliver();
  ticked_.notify_all();
  settle();
  for (const auto& peer : peers_) {
    if (peer->up()) {
      peer->tracker->wake();
      spawn(executor(), peer->turn(second_), "a turn");
      settle();
    }
  }
  require(!referee_.broken(), "{}", referee_.broken().value_or(""));
}

void World::ticks(int n) {
  for (int i = 0; i < n; ++i) {
    tick();
  }
}

}  // namespace ica::sim::orchestration
