#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/api/peer.h"
#include "common/api/pin.h"
#include "common/base/time.h"

namespace ica::sim::orchestration {

class World;
struct Peer;

// What really happened, so that a run in which nothing happens is noticed.
struct Counters {
  uint64_t pins = 0, unpins = 0, user_repins = 0, refused = 0;
  uint64_t short_deaths = 0, long_deaths = 0, double_deaths = 0, emptied = 0, kept_dead = 0;
  uint64_t partitions = 0, lost_metrics = 0;
  uint64_t drains = 0, taken_back = 0, drained_died = 0, mover_died = 0, cordons = 0,
           emptied_drains = 0;
  uint64_t rebalances = 0, rebalance_stops = 0, left_moves = 0, disks_full = 0, not_repinning = 0;
  uint64_t kubo_hangs = 0, kubo_errors = 0, kubo_away = 0, forgotten = 0;
  uint64_t repins = 0, adds = 0, removes = 0, releases = 0, kubo_pins = 0, alerts = 0;
  uint64_t seconds = 0;
  uint64_t writes() const { return repins + adds + removes; }
};

// Watches every step of orchestration and says which rule it broke. The rules are put in terms of
// the whole world, which no peer sees. It must not throw where it is called from coroutines, so the
// first broken rule is kept for World::tick.
class Referee {
 public:
  explicit Referee(World& world) : world_(world) {}

  // ---- told by the world
  void started(size_t peer);
  void metric(size_t at, const api::Metric& metric);
  void alerts(size_t at, const std::vector<api::Alert>& fresh);
  void replaced(size_t peer, const api::Pin& before, const api::Pin& after);
  void pin_begun(size_t peer);
  void release_begun(size_t peer, const Cid& cid);
  void released(size_t peer, const Cid& cid);
  void placed(const Peer& peer, const std::optional<api::Pin>& before, const api::Pin& pin);
  // A fault took copies: the rule of the last copy does not hold for it any more.
  void hurt(const Cid& cid) { hurt_.insert(cid); }
  // By a user. Where somebody changes it at the same time it may come back, and is fetched again.
  void unpinned(const Cid& cid) { unpinned_.insert(cid); }

  // ---- asked
  const std::optional<std::string>& broken() const { return broken_; }
  // What is not as it should be in the end. `leaving` is drained, when it is one of the peers.
  std::optional<std::string> unsettled(size_t leaving);

  Counters counters;

 private:
  void broke(std::string what);
  bool repinned(Peer& peer, const api::Pin& before, const std::vector<PeerId>& alive);
  size_t confirmed(const Cid& cid, const std::vector<PeerId>& peers);
  void one_writer(size_t peer, const Cid& cid);

  World& world_;
  std::optional<std::string> broken_;
  std::set<Cid> hurt_;
  std::set<Cid> unpinned_;
  struct Lapse {
    int64_t expire = 0;
    bool told = false;  // an alert was raised
  };
  // By observer, metric and peer.
  std::map<size_t, std::map<std::pair<std::string, PeerId>, Lapse>> lapses_;
  std::map<Cid, std::deque<std::pair<int64_t, size_t>>> writers_;
};

}  // namespace ica::sim::orchestration
