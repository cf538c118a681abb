#include <doctest/doctest.h>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;
using api::TrackerStatus;
using Mood = FakeKubo::Mood;

namespace {

Bench& with_pins(Bench& bench, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pinned == n; }));
  return bench;
}

void lose(Bench& bench, const Cid& cid) {
  const std::lock_guard lock(bench.kubo->mutex);
  bench.kubo->pins.erase(cid);
}

Task<Status> take_all(std::vector<TrackedPin>) {
  co_return Status();
}

}  // namespace

TEST_CASE("reconciling finds what Kubo lost, and pins it again in a while") {
  Bench bench;
  with_pins(bench, 50);
  for (const uint64_t i : {3, 17, 42}) {
    lose(bench, cid_of(i));
  }
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins[cid_of(1000)] = ipfs::PinKind::Recursive;  // somebody's own pin
  }
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.tracker->counts().unexpectedly_unpinned == 3);
  CHECK(bench.tracker->counts().pinned == 47);
  CHECK(bench.tracker->counts().ipfs_pins == 48);
  const LocalStatus status = bench.status(cid_of(17));
  CHECK(status.status == TrackerStatus::UnexpectedlyUnpinned);
  CHECK(status.error == "the item should be pinned but it is not");
  CHECK(status.attempt_count == 0);
  CHECK_FALSE(status.priority);
  CHECK(status.timestamp == bench.tracked(cid_of(17)).pin.timestamp);
  CHECK(bench.list(bits({TrackerStatus::UnexpectedlyUnpinned})).size() == 3);
  // Nothing of the list stays on disk.
  auto cursor = bench.store->cursor(store::Family::IpfsPins);
  cursor->seek_first();
  CHECK_FALSE(cursor->valid());

  bench.advance(std::chrono::minutes(2));
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 50; }));
  CHECK(bench.kubo->holds(cid_of(17)));
  CHECK(bench.kubo->holds(cid_of(1000)));
}

TEST_CASE("recover_all queues what a reconciliation has found") {
  Bench bench;
  with_pins(bench, 5);
  lose(bench, cid_of(2));
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  REQUIRE(bench.await(bench.tracker->recover_all(&take_all, StopToken())).has_value());
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 5; }));
}

TEST_CASE("recover_all looks behind itself for what Kubo has lost") {
  Bench bench;
  with_pins(bench, 5);
  lose(bench, cid_of(2));
  REQUIRE(bench.await(bench.tracker->recover_all(&take_all, StopToken())).has_value());
  CHECK(bench.until([&] { return bench.kubo->holds(cid_of(2)); }));
}

TEST_CASE("what Kubo has again is cleared") {
  Bench bench;
  with_pins(bench, 5);
  lose(bench, cid_of(2));
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  REQUIRE(bench.is(cid_of(2), TrackerStatus::UnexpectedlyUnpinned));
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins[cid_of(2)] = ipfs::PinKind::Recursive;
  }
  const size_t calls = bench.kubo->call_count();
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.is(cid_of(2), TrackerStatus::Pinned));
  CHECK(bench.kubo->call_count() == calls);
  CHECK(bench.tracker->counts().unexpectedly_unpinned == 0);
}

TEST_CASE("a list that breaks off says nothing about what is missing") {
  Bench bench;
  with_pins(bench, 10);
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins.clear();
    bench.kubo->list_breaks = true;
  }
  CHECK_FALSE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.tracker->counts().pinned == 10);
  bench.kubo->set_mood(Mood::Down);
  CHECK_FALSE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.tracker->counts().pinned == 10);
}

TEST_CASE("pins made while the list is read are not taken for lost") {
  Bench bench;
  with_pins(bench, 5);
  bench.kubo->on_list = [&bench] {
    bench.kubo->on_list = nullptr;
    for (uint64_t i = 100; i < 120; ++i) {
      bench.put(cid_of(i));
    }
    bench.remove(cid_of(1));
  };
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 24; }));
  CHECK(bench.tracker->counts().unexpectedly_unpinned == 0);
  CHECK(bench.is(cid_of(1), TrackerStatus::Unpinned));
}

TEST_CASE("direct pins are compared with Kubo's direct pins") {
  Bench bench;
  api::Pin direct = pin_of(cid_of(1), bench.clock.now());
  direct.max_depth = 0;
  bench.put(direct);
  bench.put(cid_of(0));
  REQUIRE(bench.until([&] { return bench.tracker->counts().pinned == 2; }));
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.tracker->counts().pinned == 2);
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins[cid_of(0)] = ipfs::PinKind::Direct;     // less than was asked for
    bench.kubo->pins[cid_of(1)] = ipfs::PinKind::Recursive;  // more
  }
  REQUIRE(bench.await(bench.tracker->reconcile(StopToken())).has_value());
  CHECK(bench.is(cid_of(0), TrackerStatus::UnexpectedlyUnpinned));
  CHECK(bench.is(cid_of(1), TrackerStatus::Pinned));
}

TEST_CASE("check asks Kubo about one CID") {
  Bench bench;
  with_pins(bench, 2);
  CHECK(bench.await(bench.tracker->check(cid_of(0), StopToken()))->local.status ==
        TrackerStatus::Pinned);
  lose(bench, cid_of(0));
  CHECK(bench.status(cid_of(0)).status == TrackerStatus::Pinned);  // the index does not know yet
  CHECK(bench.await(bench.tracker->check(cid_of(0), StopToken()))->local.status ==
        TrackerStatus::UnexpectedlyUnpinned);
  CHECK(bench.status(cid_of(0)).status == TrackerStatus::UnexpectedlyUnpinned);
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->pins[cid_of(0)] = ipfs::PinKind::Recursive;
  }
  CHECK(bench.await(bench.tracker->check(cid_of(0), StopToken()))->local.status ==
        TrackerStatus::Pinned);
  bench.kubo->set_mood(Mood::Down);
  const auto failed = bench.await(bench.tracker->check(cid_of(0), StopToken()));
  CHECK(failed->local.status == TrackerStatus::ClusterError);
  CHECK(failed->local.error.find("connection refused") != std::string::npos);
  CHECK(bench.status(cid_of(0)).status == TrackerStatus::Pinned);
}

TEST_CASE("check does not wait for a Kubo that hangs") {
  PinTrackerOptions options;
  options.check_timeout = std::chrono::milliseconds(20);
  Bench bench(options);
  with_pins(bench, 1);
  bench.kubo->set_mood(Mood::Hang);
  const auto answer = bench.await(bench.tracker->check(cid_of(0), StopToken()));
  CHECK(answer->local.status == TrackerStatus::ClusterError);
  CHECK(answer->local.error == "context deadline exceeded");
}

TEST_CASE("recover finds out by itself that Kubo has lost a pin") {
  Bench bench;
  with_pins(bench, 1);
  lose(bench, cid_of(0));
  const auto answer = bench.await(bench.tracker->recover(cid_of(0)));
  CHECK(answer->local.status == TrackerStatus::PinQueued);
  CHECK(answer->local.attempt_count == 0);
  CHECK(answer->local.priority);
  CHECK(bench.until([&] { return bench.kubo->holds(cid_of(0)); }));
}
