#pragma once

#include <random>

#include "agent/cluster/orchestrator.h"
#include "agent/monitor/disk_guard.h"
#include "agent/monitor/informer.h"
#include "agent/tracker/pin_tracker.h"
#include "common/base/async.h"
#include "tests/sim/check.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/orchestration/kubo.h"
#include "tests/sim/orchestration/pinset.h"
#include "tests/sim/orchestration/referee.h"

namespace ica::sim::orchestration {

inline constexpr size_t kPeers = 6;
inline constexpr Duration kGrace = std::chrono::seconds(40);
inline constexpr Duration kPingEvery = std::chrono::seconds(5);

class World;

// Asks the trackers of other peers, when they can be reached.
class SimGroup final : public test::FakePeers {
 public:
  SimGroup(World& world, size_t peer) : world_(world), peer_(peer) {}
  Task<Result<api::PinInfo>> status(PeerId peer, Cid cid, Duration limit, StopToken stop) override;

 private:
  World& world_;
  const size_t peer_;
};

// A peer with its Kubo. Orchestrator, allocator, monitor, disk guard and tracker are the agent's
// own; the loops of cluster/background.h, which sleep in real time, are turned by World::tick.
struct Peer {
  Peer(World& world, size_t number);

  World& world;
  const size_t n;
  const PeerId id;
  config::Config config;
  // What outlives the peer.
  ManualClock clock;
  MemoryStore store;
  SimPinset pinset;
  std::shared_ptr<SimKubo> kubo;
  SimGroup group;
  cluster::Importer importer;
  // What does not.
  std::unique_ptr<monitor::Monitor> monitor;
  std::shared_ptr<monitor::DiskGuard> disk;
  std::unique_ptr<monitor::Publisher> publisher;
  std::shared_ptr<tracker::PinTracker> tracker;
  std::unique_ptr<cluster::Cluster> cluster;
  Time started;

  size_t side = 0;     // of a cut network
  bool quiet = false;  // its metrics are lost
  bool up() const { return cluster != nullptr; }
  cluster::Orchestrator& orchestrator() { return cluster->orchestrator(); }
  api::TrackerStatus status(const Cid& cid) const;

 private:
  friend class World;
  cluster::Parts parts();
  void start();
  Task<void> tell(std::string name, Duration ttl, api::Metric metric);
  Task<void> turn(int64_t second);
};

// Peers under virtual time, driven by one seed. Thread-safety: none.
class World {
 public:
  explicit World(uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // One second goes by. Throws Violation.
  void tick();
  void ticks(int n);
  int64_t second() const { return second_; }
  void later(int64_t seconds, std::function<void()> run) {
    later_.emplace_back(second_ + seconds, std::move(run));
  }
  // True when a second has gone by, false when stopped.
  Task<bool> next_tick(StopToken stop) { return ticked_.wait(std::chrono::hours(9999), stop); }
  Executor executor() { return context_.get_executor(); }
  // What was to come later does not.
  // Views of the peers differ for long up to then, as after a partition.
  int64_t apart_until() const { return apart_until_; }
  void apart(int64_t seconds) { apart_until_ = std::max(apart_until_, second_ + seconds); }
  void forget_plans() { later_.clear(); }
  // Runs a call that waits for nothing but other peers.
  template <typename T>
  T await(Task<T> task) {
    std::optional<T> out;
    spawn(executor(), keep(std::move(task), &out), "a call");
    context_.restart();
    while (!out && context_.run_one() > 0) {
    }
    return std::move(*out);
  }

  uint64_t below(uint64_t n) { return random_() % n; }
  std::vector<std::unique_ptr<Peer>>& peers() { return peers_; }
  Peer& peer(size_t n) { return *peers_[n]; }
  Peer* find(const PeerId& id);
  Referee& referee() { return referee_; }

  void start(size_t n) { peers_[n]->start(); }
  void kill(size_t n);
  bool reach(const Peer& a, const Peer& b) const { return a.up() && b.up() && a.side == b.side; }
  // Whether a Kubo that can be reached holds it.
  bool in_sight(size_t n, const Cid& cid);
  void publish(size_t from, const Write& write);
  void send(Peer& from, const api::Metric& metric);
  bool mail_waits() const;

  unsigned loss = 5;  // percent of the metrics
  std::string group_of(size_t n) const { return groups_ == 1 ? "default" : std::to_string(n % 3); }

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>* out) {
    *out = co_await std::move(task);
  }
  void settle();
  void deliver();
  struct Mail {
    int64_t due;
    size_t to;
    Write write;
  };
  bool can_hear(const Mail& mail) const;

  std::mt19937_64 random_;
  asio::io_context context_;
  Event ticked_{context_.get_executor()};
  int64_t second_ = 0;
  int64_t apart_until_ = 0;
  size_t groups_ = 1;
  std::vector<std::pair<int64_t, std::function<void()>>> later_;
  std::vector<Mail> mail_;
  std::vector<std::weak_ptr<tracker::PinTracker>> ending_;
  Referee referee_{*this};
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace ica::sim::orchestration
