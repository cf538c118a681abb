#include "tests/sim/orchestration/run.h"

namespace ica::sim::orchestration {
namespace {

using cluster::PeerMode;

// After the last fault everything is as it should be within this, and then nothing happens any
// more.
constexpr int kSettle = 600;
constexpr int kQuiet = 60;

struct Factors {
  int min;
  int max;
};
constexpr std::array<Factors, 6> kFactors = {{{1, 1}, {1, 2}, {2, 2}, {2, 3}, {3, 3}, {1, 3}}};

}  // namespace

Peer* Run::living() {
  for (size_t i = 0, n = world_.below(kPeers); i < kPeers; ++i) {
    if (Peer& peer = world_.peer((n + i) % kPeers); peer.up()) {
      return &peer;
    }
  }
  return nullptr;
}

size_t Run::up_count() {
  const auto& peers = world_.peers();
  return static_cast<size_t>(
      std::count_if(peers.begin(), peers.end(), [](const auto& peer) { return peer->up(); }));
}

void Run::add_pin(int number) {
  Peer& peer = *living();
  api::Pin pin;
  pin.cid = test::cid_number(number);
  const Factors factors = kFactors[world_.below(kFactors.size())];
  pin.options.replication_factor_min = factors.min;
  pin.options.replication_factor_max = factors.max;
  const auto found = peer.pinset.pins().find(pin.cid);
  const auto before =
      found == peer.pinset.pins().end() ? std::nullopt : std::optional(found->second);
  const auto placed = world_.await(peer.cluster->pin(pin));
  if (!placed) {
    ++world_.referee().counters.refused;
    return;
  }
  ++(before ? world_.referee().counters.user_repins : world_.referee().counters.pins);
  world_.referee().placed(peer, before, *placed);
}

void Run::order(const PeerId& peer, PeerMode mode) {
  must(world_.await(living()->orchestrator().order(peer, mode)), "an order");
}

void Run::place() {
  auto& counters = world_.referee().counters;
  const bool all = world_.below(12) == 0;
  for (const auto& peer : world_.peers()) {
    peer->config.cluster.disable_repinning = all || world_.below(8) == 0;
    counters.not_repinning += peer->config.cluster.disable_repinning ? 1 : 0;
  }
  world_.ticks(25);
  // Some have to be evened out later: half of the peers get nothing at first.
  skewed_ = world_.below(5) == 0;
  pins_ = skewed_ ? 60 : 10 + static_cast<int>(world_.below(20));
  if (skewed_) {
    for (size_t n = 0; n < kPeers / 2; ++n) {
      order(world_.peer(n).id, PeerMode::Cordoned);
      ++counters.cordons;
    }
    world_.ticks(25);
  }
  for (int i = 0; i < pins_; ++i) {
    add_pin(i);
    if (i % 10 == 9) {
      world_.tick();
    }
  }
  world_.ticks(25);
  if (skewed_) {
    for (size_t n = 0; n < kPeers / 2; ++n) {
      order(world_.peer(n).id, PeerMode::Active);
    }
    world_.ticks(25);
  }
  placed_ = counters.writes();
}

void Run::user() {
  const int number = static_cast<int>(world_.below(static_cast<uint64_t>(pins_)));
  switch (world_.below(3)) {
    case 0:
      add_pin(pins_++);
      break;
    case 1:
      add_pin(number);
      break;
    default:
      if (world_.await(living()->cluster->unpin(test::cid_number(number), {}))) {
        ++world_.referee().counters.unpins;
        world_.referee().unpinned(test::cid_number(number));
      }
  }
}

void Run::kill(size_t n) {
  auto& counters = world_.referee().counters;
  Peer& peer = world_.peer(n);
  for (const auto& [id, order] : peer.orchestrator().orders()) {
    if (order.mode != PeerMode::Draining) {
      continue;
    }
    if (id == peer.id) {
      ++counters.drained_died;
    } else if (world_.await(peer.orchestrator().drain_status(id))->waiting > 0) {
      ++counters.mover_died;
    }
  }
  world_.kill(n);
}

void Run::revive(size_t n, bool empty) {
  Peer& peer = world_.peer(n);
  if (peer.up()) {
    return;
  }
  if (empty) {
    ++world_.referee().counters.emptied;
    for (const Cid& cid : peer.kubo->held) {
      world_.referee().hurt(cid);
    }
    peer.kubo->held.clear();
  }
  world_.start(n);
}

void Run::die() {
  auto& counters = world_.referee().counters;
  const bool both = up_count() == kPeers && world_.below(4) == 0;
  if (up_count() < kPeers - 1) {
    return;
  }
  counters.double_deaths += both ? 1 : 0;
  for (int i = 0; i < (both ? 2 : 1); ++i) {
    const size_t n = living()->n;
    const bool brief = world_.below(2) == 0;
    const bool empty = world_.below(4) == 0;
    ++(brief ? counters.short_deaths : counters.long_deaths);
    kill(n);
    const auto back = static_cast<int64_t>(brief ? 5 + world_.below(30) : 60 + world_.below(60));
    world_.later(back, [this, n, empty] { revive(n, empty); });
  }
  ++events_;
}

void Run::cut() {
  auto& peers = world_.peers();
  if (std::any_of(peers.begin(), peers.end(), [](const auto& peer) { return peer->side != 0; })) {
    return;
  }
  for (const auto& peer : peers) {
    peer->side = world_.below(3) == 0 ? 1 : 0;
  }
  ++world_.referee().counters.partitions;
  ++events_;
  const auto lasts = static_cast<int64_t>(5 + world_.below(80));
  world_.apart(lasts + 30);
  world_.later(lasts, [&peers] {
    for (const auto& peer : peers) {
      peer->side = 0;
    }
  });
}

void Run::kubo_trouble() {
  auto& counters = world_.referee().counters;
  const size_t n = living()->n;
  const auto kubo = world_.peer(n).kubo;
  const auto lasts = static_cast<int64_t>(5 + world_.below(70));
  switch (world_.below(5)) {
    case 0:
      kubo->mood = SimKubo::Mood::Hangs;
      break;
    case 1:
      kubo->mood = SimKubo::Mood::Fails;
      break;
    case 2:
      kubo->mood = SimKubo::Mood::Away;
      ++counters.kubo_away;
      break;
    case 3:
      for (auto at = kubo->held.begin(); at != kubo->held.end();) {
        if (world_.below(3) == 0) {
          world_.referee().hurt(*at);
          ++counters.forgotten;
          at = kubo->held.erase(at);
        } else {
          ++at;
        }
      }
      return;
    default:
      kubo->other_data = SimKubo::kCapacity * 96 / 100;
      ++counters.disks_full;
      world_.later(lasts, [kubo] { kubo->other_data = 0; });
      return;
  }
  world_.later(lasts, [kubo] { kubo->mood = SimKubo::Mood::Well; });
}

void Run::operators() {
  auto& counters = world_.referee().counters;
  const PeerId id = world_.peer(world_.below(kPeers)).id;
  const auto lasts = static_cast<int64_t>(3 + world_.below(60));
  ++events_;
  switch (world_.below(4)) {
    case 0: {
      const auto orders = living()->orchestrator().orders();
      if (std::any_of(orders.begin(), orders.end(),
                      [](const auto& order) { return order.second.mode == PeerMode::Draining; })) {
        return;
      }
      order(id, PeerMode::Draining);
      ++counters.drains;
      if (world_.below(3) == 0) {
        ++counters.taken_back;
        ++events_;
        world_.later(lasts, [this, id] { order(id, PeerMode::Active); });
      }
      return;
    }
    case 1:
      order(id, PeerMode::Cordoned);
      ++counters.cordons;
      world_.later(lasts, [this, id] { order(id, PeerMode::Active); });
      return;
    default:
      if (!skewed_ && world_.below(4) != 0) {
        return;
      }
      Peer& peer = *living();
      must(world_.await(peer.orchestrator().rebalance_start()), "a rebalance");
      ++counters.rebalances;
      if (world_.below(3) == 0) {
        world_.later(2 + lasts / 4, [this, n = peer.n] {
          if (Peer& again = world_.peer(n); again.up()) {
            must(world_.await(again.orchestrator().rebalance_stop()), "a stop");
            ++world_.referee().counters.rebalance_stops;
          }
        });
      }
  }
}

void Run::step() {
  switch (world_.below(10)) {
    case 0:
    case 1:
    case 2:
      user();
      break;
    case 3:
    case 4:
      die();
      break;
    case 5:
      cut();
      break;
    case 6:
    case 7:
      kubo_trouble();
      break;
    case 8: {
      Peer& peer = *living();
      peer.quiet = true;
      world_.later(static_cast<int64_t>(5 + world_.below(30)), [&peer] { peer.quiet = false; });
      break;
    }
    default:
      operators();
  }
}

void Run::settle() {
  auto& counters = world_.referee().counters;
  world_.loss = 0;
  world_.forget_plans();
  const size_t dead = world_.below(3) == 0 ? world_.below(kPeers) : kPeers;
  for (const auto& peer : world_.peers()) {
    peer->side = 0;
    peer->quiet = false;
    peer->kubo->mood = SimKubo::Mood::Well;
    peer->kubo->other_data = 0;
    if (peer->n != dead) {
      revive(peer->n, false);
    } else if (peer->up()) {
      kill(dead);
    }
  }
  counters.kept_dead += dead < kPeers ? 1 : 0;
  world_.ticks(15);  // orders spread
  const auto orders = living()->orchestrator().orders();
  for (const auto& [id, order] : orders) {
    if (order.mode == PeerMode::Draining) {
      leaving_ = world_.find(id)->n;
    }
  }
  for (const auto& [id, was] : orders) {
    if (was.mode != PeerMode::Active && (leaving_ == kPeers || id != world_.peer(leaving_).id)) {
      order(id, PeerMode::Active);
    }
  }
  std::optional<std::string> wrong = "nothing was looked at";
  for (int i = 0; i < kSettle && wrong; i += 5) {
    world_.ticks(5);
    wrong = world_.referee().unsettled(leaving_);
  }
  require(!wrong, "not settled {} s after the last fault: {}", kSettle, wrong.value_or(""));
  counters.emptied_drains += leaving_ < kPeers ? 1 : 0;
  const Counters before = counters;
  world_.ticks(kQuiet);
  require(counters.writes() == before.writes() && counters.kubo_pins == before.kubo_pins &&
              counters.releases == before.releases,
          "not quiet: {} changes, {} pins begun, {} let go", counters.writes() - before.writes(),
          counters.kubo_pins - before.kubo_pins, counters.releases - before.releases);
  wrong = world_.referee().unsettled(leaving_);
  require(!wrong, "settled no more: {}", wrong.value_or(""));
}

void Run::run() {
  place();
  for (uint64_t i = 0, n = 10 + world_.below(30); i < n; ++i) {
    step();
    world_.ticks(static_cast<int>(1 + world_.below(8)));
  }
  // What was begun for a time is over before the end.
  world_.ticks(20);
  settle();
  // No storm: an event moves each pin a few times at most.
  const auto& counters = world_.referee().counters;
  const uint64_t writes = counters.writes() - placed_;
  require(writes <= static_cast<uint64_t>(events_ + 1) * static_cast<uint64_t>(pins_) * 2,
          "{} changes for {} pins and {} events", writes, pins_, events_);
}

}  // namespace ica::sim::orchestration
