#include "tests/sim/orchestration/referee.h"

#include "tests/sim/orchestration/world.h"

namespace ica::sim::orchestration {
namespace {

bool contains(const std::vector<PeerId>& peers, const PeerId& peer) {
  return std::find(peers.begin(), peers.end(), peer) != peers.end();
}

// Those of `a` that are not in `b`.
std::vector<PeerId> without(const std::vector<PeerId>& a, const std::vector<PeerId>& b) {
  std::vector<PeerId> out;
  std::copy_if(a.begin(), a.end(), std::back_inserter(out),
               [&](const PeerId& peer) { return !contains(b, peer); });
  return out;
}

size_t minimum(const api::Pin& pin) {
  return static_cast<size_t>(std::max(pin.options.replication_factor_min, 1));
}

std::string who(World& world, const std::vector<PeerId>& peers) {
  std::string out;
  for (const PeerId& peer : peers) {
    const Peer* found = world.find(peer);
    out += fmt::format("{}{}", out.empty() ? "" : ",", found == nullptr ? 99 : found->n);
  }
  return out;
}

}  // namespace

void Referee::broke(std::string what) {
  if (!broken_) {
    broken_ = fmt::format("second {}: {}", world_.second(), what);
  }
}

// ---- metrics and alerts

void Referee::started(size_t peer) {
  lapses_[peer].clear();
}

void Referee::metric(size_t at, const api::Metric& metric) {
  lapses_[at][{metric.name, metric.peer}] = {metric.expire, false};
}

// One alert for each metric that ran out, and none for any other.
void Referee::alerts(size_t at, const std::vector<api::Alert>& fresh) {
  for (const api::Alert& alert : fresh) {
    Lapse& lapse = lapses_[at][{alert.metric.name, alert.metric.peer}];
    if (lapse.told || lapse.expire != alert.metric.expire) {
      broke(fmt::format("an alert about {} of peer {} at peer {} twice, or for nothing",
                        alert.metric.name, who(world_, {alert.metric.peer}), at));
    }
    lapse.told = true;
    ++counters.alerts;
  }
  const int64_t now = world_.peer(at).clock.now().unix_nanos();
  for (const auto& [key, lapse] : lapses_[at]) {
    if (lapse.expire < now && !lapse.told) {
      broke(fmt::format("no alert about {} of peer {} at peer {}", key.first,
                        who(world_, {key.second}), at));
    }
  }
}

// ---- changes of allocations

size_t Referee::confirmed(const Cid& cid, const std::vector<PeerId>& peers) {
  return static_cast<size_t>(std::count_if(peers.begin(), peers.end(), [&](const PeerId& id) {
    const Peer* peer = world_.find(id);
    return peer != nullptr && peer->up() && peer->status(cid) == api::TrackerStatus::Pinned;
  }));
}

// The nearest peer acts; the next one only when that one did not for ten seconds. Views differ for
// moments, so some may meet, more seldom within one second; a rebalance is carried out where it was
// asked for.
void Referee::one_writer(size_t peer, const Cid& cid) {
  if (world_.second() < world_.apart_until() ||
      world_.peer(peer).orchestrator().rebalance_status().running) {
    return;
  }
  auto& list = writers_[cid];
  list.emplace_back(world_.second(), peer);
  while (list.front().first + 1 < world_.second()) {
    list.pop_front();
  }
  std::set<size_t> distinct;
  for (const auto& [second, writer] : list) {
    distinct.insert(writer);
  }
  if (distinct.size() > 3) {
    broke(fmt::format("{} peers change the same pin at once", distinct.size()));
  }
}

// New places for lost copies. False when a rule was broken.
bool Referee::repinned(Peer& peer, const api::Pin& before, const std::vector<PeerId>& alive) {
  if (peer.config.cluster.disable_repinning) {
    broke(fmt::format("peer {} gives new places though that is switched off", peer.n));
  }
  const auto& seen = lapses_[peer.n];
  const Time now = peer.clock.now();
  bool late = false;
  size_t known = 1;
  for (const auto& [key, lapse] : seen) {
    known += key.first == monitor::kPing && key.second != peer.id ? 1 : 0;
  }
  if (alive.size() * 2 < known) {
    broke(fmt::format("peer {} sees {} of {} peers and gives new places", peer.n, alive.size(),
                      known));
  }
  for (const PeerId& lost : before.allocations.items) {
    if (contains(alive, lost)) {
      continue;
    }
    const auto found = seen.find({std::string(monitor::kPing), lost});
    const Time since = found == seen.end() ? peer.started.plus(kPingEvery * 3)
                                           : Time::from_unix_nanos(found->second.expire);
    late = late || since.plus(kGrace) <= now;
  }
  if (!late) {
    broke(fmt::format("peer {} gives {} new places before the grace of any is over", peer.n,
                      before.cid));
  }
  return !broken_;
}

void Referee::replaced(size_t n, const api::Pin& before, const api::Pin& after) {
  Peer& peer = world_.peer(n);
  std::vector<PeerId> alive = peer.monitor->alive();
  if (!contains(alive, peer.id)) {
    alive.push_back(peer.id);
  }
  const auto added = without(after.allocations.items, before.allocations.items);
  const auto dropped = without(before.allocations.items, after.allocations.items);
  const auto orders = peer.orchestrator().orders();
  for (const PeerId& to : added) {
    const auto order = orders.find(to);
    if (!contains(alive, to) ||
        (order != orders.end() && order->second.mode != cluster::PeerMode::Active)) {
      broke(fmt::format("a copy is given to peer {}, which is lost or closed", who(world_, {to})));
    }
  }
  one_writer(n, before.cid);
  const std::string change =
      fmt::format("peer {} changes {} from {} to {}", n, before.cid,
                  who(world_, before.allocations.items), who(world_, after.allocations.items));
  if (!added.empty() && !dropped.empty()) {
    ++counters.repins;
    if (std::any_of(dropped.begin(), dropped.end(),
                    [&](const PeerId& from) { return contains(alive, from); })) {
      broke(change + ", and a living peer is taken away before its copy is replaced");
    }
    (void)repinned(peer, before, alive);
  } else if (!added.empty()) {
    ++counters.adds;
  } else if (!dropped.empty()) {
    ++counters.removes;
    const bool drained = std::any_of(
        before.allocations.items.begin(), before.allocations.items.end(), [&](const PeerId& id) {
          const auto order = orders.find(id);
          return order != orders.end() && order->second.mode == cluster::PeerMode::Draining;
        });
    if (!drained && !peer.orchestrator().rebalance_status().running) {
      ++counters.left_moves;
    }
    const size_t least = std::min(minimum(before), before.allocations.items.size());
    if (confirmed(before.cid, after.allocations.items) < least) {
      broke(change + ", and too few of those that are left hold it");
    }
  } else {
    broke(change + ": a change that changes nothing");
  }
}

void Referee::placed(const Peer& peer, const std::optional<api::Pin>& before, const api::Pin& pin) {
  const auto orders = peer.cluster->orchestrator().orders();
  for (const PeerId& to : pin.allocations.items) {
    const auto order = orders.find(to);
    if (order != orders.end() && order->second.mode != cluster::PeerMode::Active &&
        !(before && before->allocated_to(to))) {
      broke(fmt::format("a new pin is given to peer {}, which is closed", who(world_, {to})));
    }
  }
}

// ---- what the Kubos are told

void Referee::pin_begun(size_t n) {
  ++counters.kubo_pins;
  if (world_.peer(n).disk->full()) {
    broke(fmt::format("peer {} begins a pin though its disk is full", n));
  }
}

void Referee::release_begun(size_t n, const Cid& cid) {
  const Peer& peer = world_.peer(n);
  const auto found = peer.pinset.pins().find(cid);
  if (found == peer.pinset.pins().end() || unpinned_.contains(cid)) {
    return;
  }
  const api::Pin& pin = found->second;
  const size_t least = std::min(minimum(pin), pin.allocations.items.size());
  if (pin.allocated_to(peer.id) || confirmed(cid, pin.allocations.items) < least) {
    broke(fmt::format("peer {} lets go of {}, which {} are to hold and too few do", n, cid,
                      who(world_, pin.allocations.items)));
  }
}

void Referee::released(size_t n, const Cid& cid) {
  ++counters.releases;
  if (!world_.peer(n).pinset.pins().contains(cid) || hurt_.contains(cid) ||
      unpinned_.contains(cid)) {
    return;
  }
  const auto& peers = world_.peers();
  if (std::none_of(peers.begin(), peers.end(),
                   [&](const auto& peer) { return peer->kubo->held.contains(cid); })) {
    broke(fmt::format("peer {} has removed the last copy of {}", n, cid));
  }
}

// ---- the end

std::optional<std::string> Referee::unsettled(size_t leaving) {
  const Peer* first = nullptr;
  bool deciders = false;
  for (const auto& peer : world_.peers()) {
    if (peer->up()) {
      first = first == nullptr ? peer.get() : first;
      deciders = deciders || !peer->config.cluster.disable_repinning;
    }
  }
  if (world_.mail_waits()) {
    return "peers have something to tell each other";
  }
  for (const auto& peer : world_.peers()) {
    if (!peer->up()) {
      continue;
    }
    if (peer->orchestrator().orders() != first->cluster->orchestrator().orders()) {
      return fmt::format("peer {} knows other orders", peer->n);
    }
    if (const auto status = peer->orchestrator().rebalance_status(); status.running) {
      return fmt::format("peer {} still rebalances: {} left, {} waiting", peer->n, status.left,
                         status.waiting);
    }
    if (peer->pinset.pins().size() != first->pinset.pins().size()) {
      return fmt::format("peer {} has another number of pins", peer->n);
    }
    for (const Cid& cid : peer->kubo->held) {
      const auto found = peer->pinset.pins().find(cid);
      const bool wanted =
          found != peer->pinset.pins().end() &&
          (found->second.allocated_to(peer->id) ||
           // Nobody replaces lost copies when that is switched off; then a surplus one stays.
           confirmed(cid, found->second.allocations.items) <
               std::min(minimum(found->second), found->second.allocations.items.size()));
      if (!wanted || (deciders && !found->second.allocated_to(peer->id))) {
        return fmt::format("peer {} holds {} and has not to; allocated to {}", peer->n, cid,
                           found == peer->pinset.pins().end()
                               ? "nobody"
                               : who(world_, found->second.allocations.items));
      }
    }
  }
  for (const auto& [cid, pin] : first->pinset.pins()) {
    const auto& items = pin.allocations.items;
    const std::string text =
        fmt::format("{} ({} to {}) on {}", cid, pin.options.replication_factor_min,
                    pin.options.replication_factor_max, who(world_, items));
    if (items.size() > static_cast<size_t>(pin.options.replication_factor_max)) {
      return text + ": more than the maximum";
    }
    size_t living = 0;
    for (const auto& peer : world_.peers()) {
      if (!peer->up()) {
        continue;
      }
      const auto same = peer->pinset.pins().find(cid);
      if (same == peer->pinset.pins().end() ||
          api::encode_pin(same->second) != api::encode_pin(pin)) {
        return fmt::format("{}: peer {} knows it otherwise", text, peer->n);
      }
      if (!pin.allocated_to(peer->id)) {
        continue;
      }
      ++living;
      if (!peer->kubo->held.contains(cid) || peer->status(cid) != api::TrackerStatus::Pinned) {
        return fmt::format("{}: peer {} does not hold it", text, peer->n);
      }
    }
    if (deciders && living < minimum(pin)) {
      return text + ": fewer living than the minimum";
    }
    if (leaving < kPeers && pin.allocated_to(world_.peer(leaving).id)) {
      return fmt::format("{}: peer {} is drained", text, leaving);
    }
  }
  return std::nullopt;
}

}  // namespace ica::sim::orchestration
