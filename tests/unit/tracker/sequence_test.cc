#include <doctest/doctest.h>
#include <random>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;
using api::TrackerStatus;
using Mood = FakeKubo::Mood;

namespace {

// A settled status says what Kubo holds; everything else says what is left to
// do.
void check_truthful(Bench& bench, const std::map<Cid, api::Pin>& wanted, uint64_t cids) {
  for (uint64_t i = 0; i < cids; ++i) {
    const Cid cid = cid_of(i);
    CAPTURE(i);
    const TrackedPin tracked = bench.tracked(cid);
    const auto it = wanted.find(cid);
    switch (tracked.local.status) {
      case TrackerStatus::Pinned:
        CHECK(it != wanted.end());
        CHECK(bench.kubo->holds(cid));
        break;
      case TrackerStatus::Unpinned:
        CHECK(it == wanted.end());
        CHECK_FALSE(bench.kubo->holds(cid));
        break;
      case TrackerStatus::Remote:
        CHECK(it != wanted.end());
        CHECK_FALSE(it->second.allocated_to(peer_of('a')));
        break;
      case TrackerStatus::PinQueued:
      case TrackerStatus::Pinning:
      case TrackerStatus::PinError:
        CHECK(it != wanted.end());
        CHECK(it->second.allocated_to(peer_of('a')));
        break;
      case TrackerStatus::UnpinQueued:
      case TrackerStatus::Unpinning:
      case TrackerStatus::UnpinError:
        CHECK(it == wanted.end());
        break;
      default:
        CHECK(false);
    }
  }
}

uint64_t rows(const store::Store& store, store::Family family) {
  uint64_t n = 0;
  auto cursor = store.cursor(family);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    ++n;
  }
  return n;
}

void run_sequence(uint64_t seed, int steps) {
  constexpr uint64_t kCids = 24;
  std::mt19937_64 random(seed);
  PinTrackerOptions options;
  options.concurrent_pins = 1 + static_cast<int>(random() % 6);
  options.concurrent_unpins = 1 + static_cast<int>(random() % 2);
  options.check_timeout = std::chrono::milliseconds(5);
  Bench bench(options);
  std::map<Cid, api::Pin> wanted;
  for (int step = 0; step < steps; ++step) {
    const Cid cid = cid_of(random() % kCids);
    switch (random() % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: {
        // A group of changes, one in eight of which does not reach the disk.
        const bool fails = random() % 8 == 0;
        std::map<Cid, api::Pin> next = wanted;
        std::vector<std::pair<Cid, std::optional<api::Pin>>> changes;
        for (uint64_t n = 1 + random() % 5; n > 0; --n) {
          const Cid changed = cid_of(random() % kCids);
          if (next.contains(changed) && random() % 2 == 0) {
            changes.emplace_back(changed, std::nullopt);
            next.erase(changed);
            continue;
          }
          api::Pin pin = pin_of(changed, bench.clock.now());
          if (random() % 5 == 0) {
            pin.options.replication_factor_min = pin.options.replication_factor_max = 1;
            pin.allocations = {{peer_of('b')}, true};
          }
          changes.emplace_back(changed, pin);
          next[changed] = pin;
        }
        const bool work_between = random() % 2 == 0;
        bench.pinset->group(std::move(changes), fails, [&] {
          if (work_between) {
            bench.settle();
          }
        });
        if (!fails) {
          wanted = std::move(next);
        }
        break;
      }
      case 6: {
        static constexpr std::array kMoods = {Mood::Instant, Mood::Hang, Mood::Fail,
                                              Mood::NoProviders, Mood::Down};
        bench.kubo->set_mood(kMoods[random() % kMoods.size()]);
        break;
      }
      case 7:
        bench.kubo->set_mood(Mood::Instant);
        break;
      case 8: {
        const std::lock_guard lock(bench.kubo->mutex);
        bench.kubo->moods[cid] = random() % 2 == 0 ? Mood::Fail : Mood::Hang;
        break;
      }
      case 9: {
        const std::lock_guard lock(bench.kubo->mutex);
        bench.kubo->moods.clear();
        break;
      }
      case 10:
        bench.restart();
        break;
      case 11:
        bench.advance(std::chrono::seconds(1 + random() % 300));
        break;
      case 12:
        (void)bench.await(bench.tracker->recover(cid));
        break;
      default:
        bench.settle();
    }
    check_truthful(bench, wanted, kCids);
  }
  // Kubo behaves again: everything comes right by itself.
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->moods.clear();
  }
  bench.kubo->set_mood(Mood::Instant);
  bench.restart();
  for (int hour = 0; hour < 4; ++hour) {
    bench.advance(std::chrono::hours(1));
  }
  REQUIRE(bench.until([&] { return rows(*bench.store, store::Family::Status) == 0; }));
  std::set<Cid> held;
  for (const auto& [cid, kind] : bench.kubo->pins) {
    held.insert(cid);
  }
  std::set<Cid> due;
  uint64_t remote = 0;
  for (const auto& [cid, pin] : wanted) {
    if (pin.allocated_to(peer_of('a'))) {
      due.insert(cid);
    } else {
      ++remote;
    }
  }
  CHECK(held == due);
  CHECK(bench.tracker->counts().pinned == due.size());
  CHECK(bench.tracker->counts().remote == remote);
  CHECK(rows(*bench.store, store::Family::Queue) == 0);
  CHECK(rows(*bench.store, store::Family::ByStatus) == wanted.size());
  CHECK_FALSE(bench.kubo->overlapped);
  check_truthful(bench, wanted, kCids);
}

}  // namespace

TEST_CASE(
    "whatever happens, Kubo ends with what is wanted and every status "
    "was true") {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    run_sequence(seed, 120);
  }
}
