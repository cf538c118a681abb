#include <doctest/doctest.h>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;
using api::TrackerStatus;
using Mood = FakeKubo::Mood;

namespace {

bool ascending(const std::vector<TrackedPin>& pins) {
  for (size_t i = 1; i < pins.size(); ++i) {
    if (!(pins[i - 1].pin.cid < pins[i].pin.cid)) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("every filter lists exactly what status() says, in CID order") {
  PinTrackerOptions options;
  options.concurrent_pins = 4;
  Bench bench(options);
  std::map<Cid, bool> present;
  for (uint64_t i = 0; i < 120; ++i) {
    const Cid cid = cid_of(i);
    api::Pin pin = pin_of(cid, bench.clock.now());
    if (i % 3 == 1) {
      pin.options.replication_factor_min = pin.options.replication_factor_max = 1;
      pin.allocations = {{peer_of('b')}, true};
    } else if (i % 20 == 2) {
      pin.type = api::PinType::Meta;
    } else if (i % 7 == 3) {
      bench.kubo->moods[cid] = Mood::Fail;
    }
    bench.put(pin);
    present[cid] = true;
    bench.clock.advance(std::chrono::milliseconds(10));  // no burst, which would hold pins back
  }
  REQUIRE(bench.until([&] {
    return bench.tracker->counts().pin_queued == 0 && bench.tracker->counts().pinning == 0;
  }));
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins.erase(cid_of(0));
  }
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  bench.kubo->set_mood(Mood::Fail);
  bench.remove(cid_of(5));
  present[cid_of(5)] = false;
  REQUIRE(bench.until([&] { return bench.is(cid_of(5), TrackerStatus::UnpinError); }));
  bench.kubo->set_mood(Mood::Hang);
  for (uint64_t i = 200; i < 210; ++i) {
    bench.put(cid_of(i));
    present[cid_of(i)] = true;
  }
  bench.remove(cid_of(9));
  bench.remove(cid_of(15));
  present[cid_of(9)] = present[cid_of(15)] = false;
  REQUIRE(bench.until([&] { return bench.kubo->running() == 5; }));

  const std::vector<TrackerStatus> all = {
      TrackerStatus::ClusterError, TrackerStatus::PinError, TrackerStatus::UnpinError,
      TrackerStatus::Pinned,       TrackerStatus::Pinning,  TrackerStatus::Unpinning,
      TrackerStatus::Unpinned,     TrackerStatus::Remote,   TrackerStatus::PinQueued,
      TrackerStatus::UnpinQueued,  TrackerStatus::Sharded,  TrackerStatus::UnexpectedlyUnpinned};
  const api::StatusFilter pinset = bits({TrackerStatus::Pinned, TrackerStatus::UnexpectedlyUnpinned,
                                         TrackerStatus::Sharded, TrackerStatus::Remote});
  for (api::StatusFilter choice = 0; choice < (1u << all.size()); choice += 7) {
    api::StatusFilter filter = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      filter |= (choice >> i & 1) != 0 ? static_cast<api::StatusFilter>(all[i]) : 0;
    }
    CAPTURE(filter);
    std::vector<std::pair<Cid, TrackerStatus>> expected;
    for (const auto& [cid, in_pinset] : present) {
      const TrackerStatus status = bench.status(cid).status;
      const bool listed = in_pinset || (filter != 0 && (filter & pinset) == 0);
      if (listed && api::matches(filter, status)) {
        expected.emplace_back(cid, status);
      }
    }
    for (const size_t page : {1, 7, 1000}) {
      const auto found = bench.list(filter, page);
      CHECK(ascending(found));
      std::vector<std::pair<Cid, TrackerStatus>> got;
      for (const TrackedPin& pin : found) {
        got.emplace_back(pin.pin.cid, pin.local.status);
      }
      CHECK(got == expected);
    }
  }
  // The counters say the same.
  const TrackerCounts counts = bench.tracker->counts();
  const auto size = [&](TrackerStatus status) { return bench.list(bits({status})).size(); };
  CHECK(counts.pinned == size(TrackerStatus::Pinned));
  CHECK(counts.pinning == size(TrackerStatus::Pinning));
  CHECK(counts.pin_queued == size(TrackerStatus::PinQueued));
  CHECK(counts.pin_error == size(TrackerStatus::PinError));
  CHECK(counts.unpinning == size(TrackerStatus::Unpinning));
  CHECK(counts.unpin_queued == size(TrackerStatus::UnpinQueued));
  CHECK(counts.unpin_error == size(TrackerStatus::UnpinError));
  CHECK(counts.remote == size(TrackerStatus::Remote));
  CHECK(counts.sharded == size(TrackerStatus::Sharded));
  CHECK(counts.unexpectedly_unpinned == size(TrackerStatus::UnexpectedlyUnpinned));
}

TEST_CASE("a walk sees one moment") {
  Bench bench;
  for (uint64_t i = 0; i < 20; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pinned == 20; }));
  auto cursor = bench.tracker->status_all(0);
  auto first = cursor->next(5);
  for (uint64_t i = 0; i < 20; ++i) {
    bench.remove(cid_of(i));
  }
  bench.settle();
  size_t n = first->size();
  while (true) {
    auto more = cursor->next(5);
    REQUIRE(more.has_value());
    if (more->empty()) {
      break;
    }
    n += more->size();
  }
  CHECK(n == 20);
}

TEST_CASE("a snapshot is settled when no unsettled row was committed before it") {
  SettledMark mark;
  CHECK_FALSE(mark.held_since(mark.before()));
  mark.settle();
  const uint64_t settled = mark.before();
  CHECK(mark.held_since(settled));
  mark.settle();
  CHECK(mark.held_since(settled));
  mark.unsettle();
  CHECK_FALSE(mark.held_since(settled));
  CHECK_FALSE(mark.held_since(mark.before()));
  const uint64_t unsettled = mark.before();
  mark.unsettle();
  mark.settle();
  CHECK_FALSE(mark.held_since(settled));
  CHECK_FALSE(mark.held_since(unsettled));
  CHECK(mark.held_since(mark.before()));
}

TEST_CASE("a walk looks for rows unless none can be in its snapshot") {
  Bench bench;
  for (uint64_t i = 0; i < 20; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pinned == 20; }));
  const api::Pin late = pin_of(cid_of(20), bench.clock.now());
  const auto statuses = [&] {
    std::map<TrackerStatus, size_t> count;
    for (const TrackedPin& pin : bench.list(0)) {
      ++count[pin.local.status];
    }
    return count;
  };
  using Counted = std::map<TrackerStatus, size_t>;
  const Counted settled = {{TrackerStatus::Pinned, 20}};

  // A change that never reaches the disk.
  bench.pinset->group({{late.cid, late}}, true, [&] { CHECK(statuses() == settled); });
  CHECK(statuses() == settled);
  bench.advance(std::chrono::minutes(1));  // it has held off

  bench.kubo->set_mood(Mood::Hang);
  bench.pinset->group({{late.cid, late}}, false, [&] { CHECK(statuses() == settled); });
  CHECK(statuses() == Counted{{TrackerStatus::Pinned, 20}, {TrackerStatus::Pinning, 1}});

  // Its row is known from the start on.
  bench.restart(false);
  CHECK(statuses() == Counted{{TrackerStatus::Pinned, 20}, {TrackerStatus::PinQueued, 1}});
  bench.tracker->start();
  REQUIRE(bench.until([&] { return bench.is(late.cid, TrackerStatus::Pinning); }));

  // The group that takes the last row that shows away has not been committed yet, while an
  // operation on another pin ends.
  bench.kubo->moods[cid_of(21)] = Mood::Instant;
  bench.put(cid_of(21));
  api::Pin moved = late;
  moved.options.replication_factor_min = moved.options.replication_factor_max = 1;
  moved.allocations = {{peer_of('b')}, true};
  bench.pinset->group({{late.cid, moved}}, false, [&] {
    REQUIRE(bench.until([&] { return bench.is(cid_of(21), TrackerStatus::Pinned); }));
    CHECK(statuses() == Counted{{TrackerStatus::Pinned, 21}, {TrackerStatus::Pinning, 1}});
  });
  CHECK(statuses() == Counted{{TrackerStatus::Pinned, 21}, {TrackerStatus::Remote, 1}});

  bench.kubo->set_mood(Mood::Instant);
  bench.remove(late.cid);
  REQUIRE(bench.until([&] { return bench.tracker->counts().unpin_queued == 0; }));
  CHECK(statuses() == Counted{{TrackerStatus::Pinned, 21}});
}

TEST_CASE("100 errors among a million cost what 100 cost") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr uint64_t kPins = 100'000;
#else
  constexpr uint64_t kPins = 1'000'000;
#endif
  Bench bench;
  bench.close();
  // The records of a million settled pins, written as the tracker writes them: an index entry each.
  {
    store::Options options;
    options.path = bench.dir.path();
    auto store = *store::Store::open(options);
    Tally tally;
    tally.add(TrackerStatus::Pinned, static_cast<int64_t>(kPins - 100));
    tally.add(TrackerStatus::PinError, 100);
    for (uint64_t i = 0; i < kPins;) {
      store::Batch batch;
      for (uint64_t end = i + 10'000; i < end; ++i) {
        const Cid cid = cid_of(i);
        batch.put(store::Family::Pins, cid.bytes(),
                  api::encode_pin(pin_of(cid, bench.clock.now())));
        const bool error = i % (kPins / 100) == 0;
        batch.put(store::Family::ByStatus,
                  by_status_key(error ? TrackerStatus::PinError : TrackerStatus::Pinned, cid), {});
        if (error) {
          Row row;
          row.status = TrackerStatus::PinError;
          row.error = "boom";
          row.attempts = 1;
          batch.put(store::Family::Status, cid.bytes(), encode_row(row));
        }
      }
      REQUIRE(store->commit(std::move(batch), store::Sync::No).has_value());
    }
    store::Batch batch;
    batch.put(store::Family::Meta, "tracker/group", encode_tally(tally));
    REQUIRE(store->commit(std::move(batch), store::Sync::No).has_value());
  }
  bench.open();
  CHECK(bench.tracker->counts().pinned == kPins - 100);

  StatusWalk errors(bench.tracker, *api::parse_status_filter("error"));
  size_t found = 0;
  while (true) {
    auto page = errors.next(30);
    REQUIRE(page.has_value());
    if (page->empty()) {
      break;
    }
    found += page->size();
  }
  CHECK(found == 100);
  CHECK(errors.uses_index());
  CHECK(errors.rows_visited() < 500);

  // Everything: each pin once, and its row beside it.
  const auto start = std::chrono::steady_clock::now();
  StatusWalk everything(bench.tracker, 0);
  uint64_t all = 0;
  while (true) {
    auto page = everything.next(1000);
    REQUIRE(page.has_value());
    if (page->empty()) {
      break;
    }
    all += page->size();
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MESSAGE("walked " << all << " pins, " << static_cast<uint64_t>(static_cast<double>(all) / seconds)
                    << " a second");
  CHECK(all == kPins);
  CHECK(everything.rows_visited() <= kPins + 1000);
  // The one page that a reader holds is all that is held.
  StatusWalk pinned(bench.tracker, bits({TrackerStatus::Pinned}));
  CHECK_FALSE(pinned.next(10)->empty());
  CHECK(pinned.rows_visited() < 3000);
}
