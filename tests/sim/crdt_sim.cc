// Peers of the pinset under every fault that we could think of, one run a seed.
//   crdt_sim [--seeds N] [--seed FIRST] [--jobs N]
// Exit code 1 and the seed when something is lost, undone, different or out of bounds; --seeds 1
// with that seed runs the same again.
#include <mutex>

#include "agent/crdt/epoch.h"
#include "agent/crdt/records.h"
#include "tests/sim/seeds.h"
#include "tests/sim/values.h"
#include "tests/sim/world.h"

namespace ica::sim {
namespace {

using namespace std::chrono_literals;

constexpr size_t kPeers = 5;
constexpr size_t kSharedKeys = 6;
// Everybody has the same values so long after the last fault; then announced heads that nobody
// serves are given up.
constexpr Duration kAgree = 150s;
constexpr Duration kSettle = 15min;

class Run {
 public:
  explicit Run(uint64_t seed) : world_(seed, kPeers), owned_(kPeers) {
    choose_faults();
    // One comes late, to a history that it has not seen.
    late_ = world_.below(kPeers + 1);
    if (late_ < kPeers) {
      world_.crash(late_);
    }
  }

  void run() {
    for (uint64_t i = 0, n = 10 + world_.below(50); i < n; ++i) {
      step();
      const bool burst = world_.below(3) == 0;
      world_.run_until(world_.now() + std::chrono::milliseconds(world_.below(burst ? 5 : 2500)));
    }
    settle();
  }

  const World::Counters& counters() const { return world_.counters(); }
  size_t nodes() const { return acknowledged_.size(); }
  uint64_t compactions() const { return compactions_; }

 private:
  // What the clients of one peer know of a key that only this peer writes.
  struct Owned {
    std::optional<Bytes> acknowledged;
    std::vector<std::optional<Bytes>> possible;  // not acknowledged, after that
  };

  void choose_faults() {
    const auto some = [&](double most) {
      return world_.below(2) == 0 ? 0 : most * static_cast<double>(world_.below(100)) / 100;
    };
    world_.faults.loss = some(0.5);
    world_.faults.repeat = some(0.3);
    world_.faults.bad_bytes = some(0.1);
    world_.faults.slow = some(0.2);
    world_.faults.crash_at_commit = some(0.04);
    world_.faults.streams = world_.below(2) == 0;
  }

  Bytes value(size_t peer, const Cid& cid) {
    api::Pin pin;
    pin.cid = cid;
    pin.options.name = std::string(1 + world_.below(2), static_cast<char>('a' + world_.below(3)));
    pin.options.replication_factor_min = -1;
    pin.options.replication_factor_max = -1;
    pin.timestamp = world_.below(2) == 0 ? world_.wall(peer) : Time::from_unix(1);
    return api::encode_pin(pin);
  }

  static Cid cid(const std::string& name) { return crdt::block_cid(crdt::block_digest(name)); }

  void write(size_t peer) {
    std::map<Cid, std::optional<Bytes>> ops;
    for (uint64_t i = 0, n = 1 + world_.below(3); i < n; ++i) {
      const Cid key = cid("shared " + std::to_string(world_.below(kSharedKeys)));
      ops[key] = world_.below(3) == 0 ? std::nullopt : std::optional(value(peer, key));
    }
    const Cid own = cid("owned " + std::to_string(peer));
    if (world_.below(2) == 0) {
      ops[own] = world_.below(3) == 0 ? std::nullopt : std::optional(value(peer, own));
    }
    std::vector<crdt::LocalOp> list;
    for (const auto& [key, op] : ops) {
      list.push_back({crdt::pack_key(key), op});
    }
    const auto made = world_.write(peer, list);
    if (made) {
      acknowledged_.insert(made->begin(), made->end());
    }
    if (const auto op = ops.find(own); op != ops.end()) {
      Owned& owned = owned_[peer];
      if (made) {
        owned.acknowledged = op->second;
        owned.possible.clear();
      } else {
        owned.possible.push_back(op->second);
      }
    }
  }

  void step() {
    const size_t peer = world_.below(kPeers);
    switch (world_.below(14)) {
      case 0:
        world_.crash(peer);
        break;
      case 1: {
        std::vector<size_t> groups;
        for (size_t i = 0; i < kPeers; ++i) {
          groups.push_back(world_.below(2));
        }
        world_.partition(std::move(groups));
        break;
      }
      case 2:
        world_.heal(world_.below(2) == 0);
        break;
      case 3:
        if (world_.below(8) == 0) {
          world_.inject(peer, crdt::encode_broadcast({crdt::block_digest("nowhere")}));
        }
        break;
      case 4:
        if (world_.below(5) == 0) {
          compact();
        }
        break;
      case 5:
      case 6:
        world_.start(peer);
        break;
      default:
        // What a peer writes to a history that the others gave up is lost to them; it would be
        // told.
        if (world_.alive(peer) && !left_behind(peer)) {
          write(peer);
        }
    }
    for (size_t i = 0; i < kPeers; ++i) {
      follow(i);
    }
  }

  bool left_behind(size_t peer) {
    return epoch_.newer_than(must(crdt::load_epoch(world_.store(peer)), "a history"));
  }

  // All come in step and begin the history anew; messages from before are still on their way, and
  // any of them may die at it.
  void compact() {
    const Faults faults = std::exchange(world_.faults, {});
    for (size_t i = 0; i < kPeers; ++i) {
      world_.start(i);
      follow(i);
    }
    world_.heal();
    require(world_.run_until(world_.now() + kSettle,
                             [&] { return all_followed() && agreed() && settled(); }),
            "the peers do not come in step: {}", describe());
    world_.faults = faults;
    ++compactions_;
    crdt::Epoch next;
    next.number = epoch_.number + 1;
    std::optional<crdt::Epoch> made;
    for (size_t i = 0; i < kPeers; ++i) {
      const auto begun = world_.begin_anew(i, next);
      require(!begun || !made || *begun == *made, "two peers begin with another history");
      made = begun ? begun : made;
    }
    for (size_t i = 0; i < kPeers; ++i) {
      const auto has = must(crdt::load_epoch(world_.store(i)), "a history");
      epoch_ = has.newer_than(epoch_) ? has : epoch_;
    }
    if (epoch_.number == next.number) {
      acknowledged_.clear();  // their nodes are gone, and their values are looked at
    }
  }

  // A peer that died at it does the same on its own as soon as it lives.
  void follow(size_t peer) {
    if (world_.alive(peer) && left_behind(peer)) {
      require(world_.replica(peer).info().digest == epoch_.digest,
              "a peer that is left behind has taken something in");
      if (world_.replica(peer).info().work == 0) {
        world_.begin_anew(peer, epoch_);
      }
    }
  }

  bool all_followed() {
    for (size_t i = 0; i < kPeers; ++i) {
      follow(i);
      if (left_behind(i)) {
        return false;
      }
    }
    return true;
  }

  bool agreed() {
    const auto first = world_.replica(0).info();
    for (size_t i = 0; i < kPeers; ++i) {
      if (world_.replica(i).info().digest != first.digest) {
        return false;
      }
      for (const auto& digest : acknowledged_) {
        if (!must(world_.replica(i).merged(digest), "a mark")) {
          return false;
        }
      }
    }
    return true;
  }

  bool settled() {
    for (size_t i = 0; i < kPeers; ++i) {
      if (world_.replica(i).info().work != 0 ||
          world_.replica(i).heads() != world_.replica(0).heads()) {
        return false;
      }
    }
    return true;
  }

  void settle() {
    const bool streams = world_.faults.streams;
    world_.faults = {};
    world_.faults.streams = streams;
    for (size_t i = 0; i < kPeers; ++i) {
      world_.start(i);
      follow(i);
    }
    world_.heal(world_.below(2) == 0);
    require(world_.run_until(world_.now() + (compactions_ > 0 ? kSettle : kAgree),
                             [&] { return all_followed() && agreed(); }),
            "the peers do not agree: {}", describe());
    require(world_.run_until(world_.now() + kSettle, [&] { return settled(); }),
            "work or different heads are left: {}", describe());
    check();
    // Nothing more happens but the rare repeats of announcements.
    const auto before = world_.counters();
    world_.run_until(world_.now() + 10min);
    const auto after = world_.counters();
    require(after.commits == before.commits && after.fetches == before.fetches,
            "the peers are not quiet: {} commits, {} fetches", after.commits - before.commits,
            after.fetches - before.fetches);
    require(after.messages - before.messages < kPeers * kPeers * 10 * 2, "{} messages in quiet",
            after.messages - before.messages);
  }

  std::string describe() {
    std::string text;
    for (size_t i = 0; i < kPeers; ++i) {
      const auto info = world_.replica(i).info();
      text += fmt::format("\n  peer {}: {} pins, {} blocks, {} heads, work {}, digest {:x}", i,
                          info.pins, info.blocks, info.heads, info.work, info.digest);
    }
    return text;
  }

  void check() {
    const Values expected = values_by_rule(world_.store(0));
    for (size_t i = 0; i < kPeers; ++i) {
      const Values values = values_of(world_.store(i));
      require(values == expected, "peer {} has not what the rules say{}", i,
              difference(expected, values));
      check_totals(world_.store(i), world_.replica(i).info());
    }
    for (size_t peer = 0; peer < kPeers; ++peer) {
      const auto it = expected.find(api::state_key(cid("owned " + std::to_string(peer))));
      const std::optional<Bytes> is =
          it == expected.end() ? std::nullopt : std::optional(it->second.first);
      const Owned& owned = owned_[peer];
      require(is == owned.acknowledged || std::find(owned.possible.begin(), owned.possible.end(),
                                                    is) != owned.possible.end(),
              "an acknowledged change of peer {} is lost or undone", peer);
    }
    require(world_.replica(0).heads().size() <= kPeers, "{} heads of {} writers",
            world_.replica(0).heads().size(), kPeers);
  }

  World world_;
  size_t late_ = kPeers;
  std::vector<Owned> owned_;
  std::set<Bytes> acknowledged_;
  crdt::Epoch epoch_;
  uint64_t compactions_ = 0;
};

struct Totals {
  std::mutex mutex;
  uint64_t nodes = 0;
  uint64_t compactions = 0;
  World::Counters counters;

  void add(const Run& run) {
    const std::lock_guard lock(mutex);
    nodes += run.nodes();
    compactions += run.compactions();
    counters.crashes += run.counters().crashes;
    counters.commits += run.counters().commits;
    counters.fetches += run.counters().fetches;
    counters.streamed += run.counters().streamed;
  }
};

}  // namespace
}  // namespace ica::sim

int main(int argc, char** argv) {
  ica::sim::Totals totals;
  return ica::sim::run_seeds(
      argc, argv, "crdt_sim",
      [&totals](uint64_t seed) {
        ica::sim::Run run(seed);
        run.run();
        totals.add(run);
      },
      [&totals](uint64_t seeds) {
        fmt::print(
            "{} seeds, nothing lost: {} acknowledged nodes, {} crashes, {} commits, {} fetches, {} "
            "nodes in streams, {} histories begun anew\n",
            seeds, totals.nodes, totals.counters.crashes, totals.counters.commits,
            totals.counters.fetches, totals.counters.streamed, totals.compactions);
        return totals.nodes > seeds;
      });
}
