#pragma once

#include <array>
#include <utility>

#include "tests/sim/orchestration/world.h"

namespace ica::sim::orchestration {

// One run: pins are placed, then users, faults and operators do as the seed says, then everything
// is well again and the pins have to be where they should be.
class Run {
 public:
  explicit Run(uint64_t seed) : world_(seed) {}
  void run();
  const Counters& counters() { return world_.referee().counters; }

 private:
  Peer* living();
  size_t up_count();
  void place();
  void step();
  void add_pin(int number);
  void user();
  void die();
  void cut();
  void kubo_trouble();
  void operators();
  void order(const PeerId& peer, cluster::PeerMode mode);
  void kill(size_t n);
  void revive(size_t n, bool empty);
  void settle();

  World world_;
  int pins_ = 0;
  int events_ = 0;       // that may move pins
  uint64_t placed_ = 0;  // changes by orchestration before the first event
  size_t leaving_ = kPeers;
  bool skewed_ = false;
};

using Counter = std::pair<const char*, uint64_t Counters::*>;
inline constexpr std::array kCounters = {
    Counter{"seconds", &Counters::seconds},
    Counter{"pins", &Counters::pins},
    Counter{"unpins", &Counters::unpins},
    Counter{"pins with new factors", &Counters::user_repins},
    Counter{"pins refused for want of peers", &Counters::refused},
    Counter{"deaths within the grace", &Counters::short_deaths},
    Counter{"longer deaths", &Counters::long_deaths},
    Counter{"of two at once", &Counters::double_deaths},
    Counter{"back with an empty Kubo", &Counters::emptied},
    Counter{"never back", &Counters::kept_dead},
    Counter{"partitions", &Counters::partitions},
    Counter{"metrics lost", &Counters::lost_metrics},
    Counter{"drains", &Counters::drains},
    Counter{"taken back", &Counters::taken_back},
    Counter{"deaths of the draining peer", &Counters::drained_died},
    Counter{"deaths of a peer that moves its pins", &Counters::mover_died},
    Counter{"peers left empty", &Counters::emptied_drains},
    Counter{"cordons", &Counters::cordons},
    Counter{"rebalances", &Counters::rebalances},
    Counter{"stopped", &Counters::rebalance_stops},
    Counter{"that had to finish another peer's moves", &Counters::left_moves},
    Counter{"full disks", &Counters::disks_full},
    Counter{"peers with disable_repinning", &Counters::not_repinning},
    Counter{"hung Kubo calls", &Counters::kubo_hangs},
    Counter{"failed Kubo calls", &Counters::kubo_errors},
    Counter{"absences of Kubo", &Counters::kubo_away},
    Counter{"copies forgotten by Kubo", &Counters::forgotten},
    Counter{"lost copies replaced", &Counters::repins},
    Counter{"copies added to move", &Counters::adds},
    Counter{"removed after that", &Counters::removes},
    Counter{"copies let go", &Counters::releases},
    Counter{"pins begun by Kubos", &Counters::kubo_pins},
    Counter{"alerts", &Counters::alerts},
};

}  // namespace ica::sim::orchestration
