#include <doctest/doctest.h>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;
using api::TrackerStatus;
using Mood = FakeKubo::Mood;

namespace {

api::Pin elsewhere(const Cid& cid, Time now) {
  api::Pin pin = pin_of(cid, now);
  pin.options.replication_factor_min = 1;
  pin.options.replication_factor_max = 1;
  pin.allocations = {{peer_of('b')}, true};
  return pin;
}

Task<Status> done() {
  co_return Status();
}

uint64_t queue_size(const store::Store& store) {
  uint64_t n = 0;
  auto cursor = store.cursor(store::Family::Queue);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    ++n;
  }
  return n;
}

}  // namespace

TEST_CASE("a pin goes to Kubo and leaves no row behind") {
  Bench bench;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  CHECK(bench.kubo->holds(cid));
  const LocalStatus status = bench.status(cid);
  CHECK(status.timestamp == bench.tracked(cid).pin.timestamp);
  CHECK(status.attempt_count == 0);
  CHECK_FALSE(status.priority);
  CHECK_FALSE(bench.store->get(store::Family::Status, cid.bytes())->has_value());
  CHECK(queue_size(*bench.store) == 0);
  CHECK(bench.tracker->counts().pinned == 1);

  bench.remove(cid);
  REQUIRE(bench.until(
      [&] { return bench.is(cid, TrackerStatus::Unpinned) && !bench.kubo->holds(cid); }));
  CHECK(bench.status(cid).timestamp == bench.clock.now());
  CHECK(bench.tracker->counts().pinned == 0);
  CHECK(bench.list(0).empty());
}

TEST_CASE("a CID that nobody knows is unpinned") {
  Bench bench;
  const TrackedPin tracked = bench.tracked(cid_of(9));
  CHECK(tracked.local.status == TrackerStatus::Unpinned);
  CHECK(tracked.pin.cid == cid_of(9));
  CHECK(tracked.pin.timestamp.is_zero());
}

TEST_CASE("while Kubo works the status says pinning, with attempt, priority and progress") {
  Bench bench;
  bench.kubo->mood = Mood::Hang;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.status(cid).progress.nodes == 7; }));
  const LocalStatus status = bench.status(cid);
  CHECK(status.status == TrackerStatus::Pinning);
  CHECK(status.attempt_count == 1);
  CHECK(status.priority);
  CHECK(status.progress.bytes == 700);
  CHECK(status.last_progress == bench.clock.now());
  CHECK(bench.tracker->counts().pinning == 1);
  CHECK(bench.tracker->counts().pin_queued == 0);
  CHECK(bench.list(bits({TrackerStatus::Pinning})).size() == 1);
  CHECK(bench.list(bits({TrackerStatus::PinQueued})).empty());
  CHECK(bench.list(0).at(0).local.status == TrackerStatus::Pinning);
}

TEST_CASE("at most concurrent_pins run, the rest is queued") {
  PinTrackerOptions options;
  options.concurrent_pins = 3;
  Bench bench(options);
  bench.kubo->mood = Mood::Hang;
  for (uint64_t i = 0; i < 10; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.kubo->running() == 3; }));
  bench.settle();
  CHECK(bench.kubo->most_in_flight == 3);
  const TrackerCounts counts = bench.tracker->counts();
  CHECK(counts.pinning == 3);
  CHECK(counts.pin_queued == 7);
  CHECK(bench.list(bits({TrackerStatus::PinQueued, TrackerStatus::UnpinQueued})).size() == 7);
  bench.clock.advance(std::chrono::seconds(5));
  CHECK(bench.tracker->counts().oldest_queued == std::chrono::seconds(5));
}

TEST_CASE("in a burst of changes Kubo is told some pins, after it the rest without being woken") {
  Bench bench;
  for (uint64_t i = 0; i < 500; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pinned > 0; }));
  bench.settle();
  const uint64_t in_burst = bench.tracker->counts().pinned;
  CHECK(in_burst < 200);
  CHECK(bench.tracker->counts().pin_queued == 500 - in_burst);
  bench.clock.advance(std::chrono::milliseconds(100));
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 500; }));
}

TEST_CASE("a failure is told with its reason and tried again later, later and later") {
  Bench bench;
  bench.kubo->mood = Mood::NoProviders;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::PinError); }));
  LocalStatus status = bench.status(cid);
  CHECK(status.error == "context canceled");
  CHECK(status.reason == ipfs::Reason::NoProviders);
  CHECK(status.attempt_count == 1);
  CHECK(status.priority);
  CHECK(status.timestamp == bench.clock.now());
  CHECK(status.next_attempt > bench.clock.now());
  CHECK(bench.tracker->counts().pin_error == 1);

  bench.settle();
  CHECK(bench.kubo->call_count() == 1);  // not at once again
  Duration previous{};
  for (int attempt = 2; attempt <= 4; ++attempt) {
    const Duration wait = bench.status(cid).next_attempt.since(bench.clock.now());
    CHECK(wait > previous);
    previous = wait;
    bench.advance(wait);
    REQUIRE(bench.until([&] {
      return bench.status(cid).attempt_count == attempt && bench.is(cid, TrackerStatus::PinError);
    }));
  }
  bench.kubo->set_mood(Mood::Instant);
  bench.advance(std::chrono::hours(1));
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  CHECK(bench.status(cid).error.empty());
}

TEST_CASE("queue, attempts and errors survive a restart") {
  Bench bench;
  bench.kubo->error =
      Error(Code::Internal, "IPFS error (pin/add). Code: 500. Message: no space left on device");
  bench.kubo->moods[cid_of(1)] = Mood::Fail;
  bench.put(cid_of(1));
  REQUIRE(bench.until([&] { return bench.is(cid_of(1), TrackerStatus::PinError); }));
  bench.kubo->mood = Mood::Hang;
  for (uint64_t i = 10; i < 30; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.kubo->running() == 10; }));

  bench.restart(false);
  CHECK(bench.kubo->running() == 0);
  const LocalStatus error = bench.status(cid_of(1));
  CHECK(error.status == TrackerStatus::PinError);
  CHECK(error.reason == ipfs::Reason::DiskFull);
  CHECK(error.attempt_count == 1);
  CHECK(bench.tracker->counts().pin_queued == 20);
  CHECK(bench.tracker->counts().pin_error == 1);

  bench.kubo->set_mood(Mood::Instant);
  bench.tracker->start();
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 20; }));
  CHECK(bench.is(cid_of(1), TrackerStatus::PinError));
}

TEST_CASE("removing a pin in flight cancels it, and the unpin follows it") {
  Bench bench;
  bench.kubo->mood = Mood::Hang;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.kubo->running() == 1; }));
  bench.kubo->set_mood(Mood::Instant);
  bench.remove(cid);
  CHECK(bench.is(cid, TrackerStatus::UnpinQueued));
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Unpinned); }));
  CHECK(bench.kubo->cancelled == 1);
  CHECK(bench.kubo->calls == std::vector<std::pair<Cid, bool>>{{cid, true}, {cid, false}});
  CHECK_FALSE(bench.kubo->overlapped);
}

TEST_CASE("a stuck pin is begun again when Kubo has met others, after ever longer waits") {
  using namespace std::chrono_literals;
  Bench bench;
  bench.kubo->mood = Mood::Hang;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.status(cid).progress.nodes == 7; }));
  const auto calls_after = [&](Duration pause) {
    bench.clock.advance(pause);
    bench.tracker->retry_stuck();
    bench.settle();
    return bench.kubo->calls_for(cid);
  };
  CHECK(calls_after(9s) == 1);
  CHECK(calls_after(2s) == 2);
  REQUIRE(bench.until([&] { return bench.status(cid).progress.nodes == 7; }));
  CHECK(calls_after(19s) == 2);
  CHECK(calls_after(2s) == 3);
  REQUIRE(bench.until([&] { return bench.status(cid).progress.nodes == 7; }));
  // It is the first attempt still, and nothing has failed.
  CHECK(bench.status(cid).status == TrackerStatus::Pinning);
  CHECK(bench.status(cid).attempt_count == 1);
  CHECK(bench.tracker->counts().pinning == 1);
  bench.kubo->set_mood(Mood::Instant);
  CHECK(calls_after(41s) == 4);
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  CHECK_FALSE(bench.kubo->overlapped);
}

TEST_CASE("a pin that follows an unpin waits for its end") {
  Bench bench;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  bench.kubo->moods[cid] = Mood::Hang;
  bench.remove(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Unpinning); }));
  bench.put(cid);
  bench.settle();
  CHECK(bench.is(cid, TrackerStatus::PinQueued));
  CHECK(bench.kubo->cancelled == 0);
  CHECK(bench.kubo->calls_for(cid) == 2);
  // Other pins are not held up by it.
  bench.put(cid_of(2));
  CHECK(bench.until([&] { return bench.is(cid_of(2), TrackerStatus::Pinned); }));
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->moods.clear();
  }
  bench.restart();  // ends the hanging unpin
  CHECK(
      bench.until([&] { return bench.is(cid, TrackerStatus::Pinned) && bench.kubo->holds(cid); }));
  CHECK_FALSE(bench.kubo->overlapped);
}

TEST_CASE("a change of options neither restarts a running pin nor loses its place") {
  Bench bench;
  bench.kubo->mood = Mood::Hang;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.kubo->running() == 1; }));
  api::Pin renamed = pin_of(cid, bench.clock.now());
  renamed.options.name = "renamed";
  bench.put(renamed);
  bench.settle();
  CHECK(bench.kubo->cancelled == 0);
  CHECK(bench.is(cid, TrackerStatus::Pinning));
  CHECK(bench.tracked(cid).pin.options.name == "renamed");
  // Another depth is another thing to do.
  api::Pin direct = renamed;
  direct.max_depth = 0;
  bench.put(direct);
  CHECK(bench.until([&] { return bench.kubo->cancelled == 1 && bench.kubo->calls_for(cid) == 2; }));
}

TEST_CASE("what is allocated elsewhere is remote, and Kubo lets go of what was here") {
  Bench bench;
  const Cid cid = cid_of(1);
  bench.put(elsewhere(cid, bench.clock.now()));
  bench.settle();
  CHECK(bench.is(cid, TrackerStatus::Remote));
  CHECK(bench.kubo->call_count() == 0);
  CHECK(bench.tracker->counts().remote == 1);

  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  CHECK(bench.tracker->counts().remote == 0);
  bench.put(elsewhere(cid, bench.clock.now()));
  CHECK(bench.is(cid, TrackerStatus::Remote));
  CHECK(bench.until([&] { return !bench.kubo->holds(cid); }));
  bench.settle();
  CHECK(bench.is(cid, TrackerStatus::Remote));
  CHECK(queue_size(*bench.store) == 0);
  bench.remove(cid);
  bench.settle();
  CHECK(bench.is(cid, TrackerStatus::Unpinned));
  CHECK(bench.kubo->call_count() == 2);
}

TEST_CASE("where the other copies go is nothing for the Kubo that keeps its own") {
  Bench bench;
  const Cid cid = cid_of(1);
  api::Pin pin = pin_of(cid, bench.clock.now());
  pin.options.replication_factor_min = pin.options.replication_factor_max = 2;
  pin.allocations = {{peer_of('a'), peer_of('b')}, true};
  bench.put(pin);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  REQUIRE(bench.kubo->call_count() == 1);
  pin.allocations.items = {peer_of('c'), peer_of('a')};
  pin.timestamp = bench.clock.now().plus(std::chrono::hours(1)).truncated_to_seconds();
  bench.put(pin);
  bench.settle();
  CHECK(bench.is(cid, TrackerStatus::Pinned));
  CHECK(bench.kubo->call_count() == 1);
  CHECK(bench.tracker->counts().pinned == 1);
  // Whoever pins it anew, with another name for instance, has Kubo asked again.
  pin.options.name = "anew";
  bench.put(pin);
  CHECK(bench.until([&] { return bench.kubo->call_count() == 2; }));
  // What has failed here is not settled by a move.
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  bench.kubo->set_mood(Mood::Fail);
  pin.options.name = "once more";
  bench.put(pin);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::PinError); }));
  pin.allocations.items = {peer_of('a'), peer_of('b')};
  bench.kubo->set_mood(Mood::Instant);
  bench.put(pin);
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
}

Task<bool> answer(std::shared_ptr<bool> released, std::shared_ptr<int> asked) {
  ++*asked;
  co_return *released;
}

TEST_CASE("a copy that others are to hold now is kept for a while, and until they do hold it") {
  PinTrackerOptions options;
  options.surplus_delay = std::chrono::seconds(60);
  Bench bench(options);
  bench.close();
  bench.open(false);
  const auto released = std::make_shared<bool>(false);
  const auto asked = std::make_shared<int>(0);
  bench.tracker->set_gates({.paused = {},
                            .may_release = [=](Cid, StopToken) { return answer(released, asked); },
                            .ended = {}});
  bench.tracker->start();
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  api::Pin elsewhere = pin_of(cid, bench.clock.now());
  elsewhere.options.replication_factor_min = elsewhere.options.replication_factor_max = 1;
  elsewhere.allocations.items = {peer_of('b')};
  bench.put(elsewhere);
  CHECK(bench.is(cid, TrackerStatus::Remote));
  bench.advance(std::chrono::seconds(59));
  CHECK(*asked == 0);
  // A change of options meanwhile does not begin the time anew.
  elsewhere.options.name = "x";
  bench.put(elsewhere);
  bench.advance(std::chrono::seconds(2));
  REQUIRE(bench.until([&] { return *asked == 1; }));
  bench.settle();
  CHECK(bench.kubo->holds(cid));
  CHECK(bench.is(cid, TrackerStatus::Remote));
  bench.restart(false);
  bench.tracker->set_gates({.paused = {},
                            .may_release = [=](Cid, StopToken) { return answer(released, asked); },
                            .ended = {}});
  bench.tracker->start();
  *released = true;
  bench.advance(std::chrono::seconds(11));
  REQUIRE(bench.until([&] { return !bench.kubo->holds(cid); }));
  CHECK(bench.is(cid, TrackerStatus::Remote));
  // What the user unpins needs nobody's word.
  *released = false;
  const Cid other = cid_of(2);
  bench.put(other);
  REQUIRE(bench.until([&] { return bench.is(other, TrackerStatus::Pinned); }));
  bench.remove(other);
  REQUIRE(bench.until([&] { return !bench.kubo->holds(other); }));
}

TEST_CASE("without room nothing is started, unpins go on, and pins follow when there is room") {
  PinTrackerOptions options;
  options.pause_poll = std::chrono::milliseconds(1);
  Bench bench(options);
  const Cid held = cid_of(1);
  bench.put(held);
  REQUIRE(bench.until([&] { return bench.is(held, TrackerStatus::Pinned); }));
  bench.restart(false);
  const auto full = std::make_shared<bool>(true);
  bench.tracker->set_gates({.paused = [full] { return *full; }, .may_release = {}, .ended = {}});
  bench.tracker->start();
  const Cid cid = cid_of(2);
  bench.put(cid);
  bench.remove(held);
  REQUIRE(bench.until([&] { return !bench.kubo->holds(held); }));
  CHECK(bench.is(cid, TrackerStatus::PinQueued));
  CHECK(bench.status(cid).reason == ipfs::Reason::DiskFull);
  *full = false;
  bench.clock.advance(std::chrono::seconds(5));
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
}

TEST_CASE("a meta pin is sharded and nothing for Kubo") {
  Bench bench;
  api::Pin meta = pin_of(cid_of(1), bench.clock.now());
  meta.type = api::PinType::Meta;
  bench.put(meta);
  bench.settle();
  CHECK(bench.is(cid_of(1), TrackerStatus::Sharded));
  CHECK(bench.kubo->call_count() == 0);
  CHECK(bench.list(bits({TrackerStatus::Sharded})).size() == 1);
}

TEST_CASE("while Kubo is away errors say so, and everything goes on by itself when it is back") {
  Bench bench;
  bench.kubo->set_mood(Mood::Down);
  for (uint64_t i = 0; i < 30; ++i) {
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pin_error == 30; }));
  const LocalStatus status = bench.status(cid_of(3));
  CHECK(status.reason == ipfs::Reason::KuboDown);
  CHECK(status.error == fmt::format("Post \"pin/ls?arg={}\": connection refused", cid_of(3)));
  bench.advance(std::chrono::hours(1));
  CHECK(bench.kubo->call_count() == 30);  // nobody tries in vain
  bench.kubo->set_mood(Mood::Instant);
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 30; }));
}

TEST_CASE(
    "operations that meet an absent Kubo wait a little, so a queue is not rewritten at once") {
  PinTrackerOptions options;
  options.away_wait = std::chrono::milliseconds(50);
  options.concurrent_pins = 2;
  Bench bench(options);
  bench.kubo->set_mood(Mood::Down);
  for (uint64_t i = 0; i < 30; ++i) {
    bench.put(cid_of(i));
  }
  bench.settle();
  CHECK(bench.tracker->counts().pinning == 2);
  CHECK(bench.tracker->counts().pin_queued == 28);
  CHECK(bench.kubo->call_count() == 0);
  bench.kubo->set_mood(Mood::Instant);
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 30; }));
}

TEST_CASE("failing unpins are told and tried again") {
  Bench bench;
  const Cid cid = cid_of(1);
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  bench.kubo->set_mood(Mood::Fail);
  bench.remove(cid);
  REQUIRE(bench.until([&] { return bench.is(cid, TrackerStatus::UnpinError); }));
  CHECK(bench.status(cid).attempt_count == 1);
  CHECK_FALSE(bench.status(cid).priority);
  CHECK(bench.list(bits({TrackerStatus::PinError, TrackerStatus::UnpinError})).size() == 1);
  CHECK(bench.list(0).empty());  // no longer in the pinset
  bench.kubo->set_mood(Mood::Instant);
  bench.advance(std::chrono::minutes(2));
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Unpinned); }));
}

TEST_CASE("a group that does not reach the disk changes nothing") {
  Bench bench;
  const Cid kept = cid_of(1);
  bench.kubo->mood = Mood::Hang;
  bench.put(kept);
  REQUIRE(bench.until([&] { return bench.kubo->running() == 1; }));
  const TrackerCounts before = bench.tracker->counts();
  bench.pinset->group({{kept, std::nullopt}, {cid_of(2), pin_of(cid_of(2), bench.clock.now())}},
                      true);
  bench.settle();
  CHECK(bench.kubo->cancelled == 0);
  CHECK(bench.is(kept, TrackerStatus::Pinning));
  CHECK(bench.is(cid_of(2), TrackerStatus::Unpinned));
  CHECK(bench.tracker->counts().pin_queued == before.pin_queued);
  // The disk that refused it gets a pause.
  bench.kubo->set_mood(Mood::Instant);
  bench.put(cid_of(2));
  bench.settle();
  CHECK(bench.is(cid_of(2), TrackerStatus::PinQueued));
  bench.advance(std::chrono::seconds(2));
  CHECK(bench.until([&] { return bench.is(cid_of(2), TrackerStatus::Pinned); }));
}

TEST_CASE("an outcome that comes while a group is in flight does not undo the group") {
  Bench bench;
  const Cid cid = cid_of(1);
  bench.kubo->mood = Mood::Hang;
  bench.put(cid);
  REQUIRE(bench.until([&] { return bench.kubo->running() == 1; }));
  SUBCASE("that is written") {
    // The pin ends between on_change and the commit of the removal.
    bench.pinset->group({{cid, std::nullopt}}, false, [&] {
      bench.kubo->set_mood(Mood::Instant);
      (void)bench.tracker->status(cid);
      bench.settle();
    });
    CHECK(bench.until(
        [&] { return bench.is(cid, TrackerStatus::Unpinned) && bench.kubo->running() == 0; }));
  }
  SUBCASE("that fails") {
    bench.pinset->group({{cid, std::nullopt}}, true, [&] { bench.settle(); });
    bench.kubo->set_mood(Mood::Instant);
    bench.restart();
    CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  }
  CHECK_FALSE(bench.kubo->overlapped);
}

TEST_CASE("several changes of one CID in one group") {
  Bench bench;
  const Cid cid = cid_of(1);
  const api::Pin pin = pin_of(cid, bench.clock.now());
  bench.pinset->group({{cid, pin}, {cid, std::nullopt}, {cid, pin}});
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Pinned); }));
  CHECK(bench.tracker->counts().pinned == 1);
  CHECK(queue_size(*bench.store) == 0);
  bench.pinset->group({{cid, std::nullopt}, {cid, pin}, {cid, std::nullopt}});
  CHECK(bench.until([&] { return bench.is(cid, TrackerStatus::Unpinned); }));
  CHECK(bench.tracker->counts().pinned == 0);
}

TEST_CASE("recover queues what failed, and only that") {
  Bench bench;
  bench.kubo->moods[cid_of(1)] = Mood::Fail;
  bench.kubo->moods[cid_of(2)] = Mood::Fail;
  bench.put(cid_of(1));
  bench.put(cid_of(2));
  bench.put(cid_of(3));
  REQUIRE(bench.until([&] {
    return bench.tracker->counts().pin_error == 2 && bench.tracker->counts().pinned == 1;
  }));
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->moods.clear();
  }
  auto one = bench.await(bench.tracker->recover(cid_of(1)));
  REQUIRE(one.has_value());
  CHECK(one->local.status == TrackerStatus::PinQueued);
  CHECK(one->local.attempt_count == 1);
  CHECK(one->local.priority);
  CHECK(one->local.error.empty());
  CHECK(bench.until([&] { return bench.is(cid_of(1), TrackerStatus::Pinned); }));
  auto pinned = bench.await(bench.tracker->recover(cid_of(3)));
  CHECK(pinned->local.status == TrackerStatus::Pinned);
  CHECK(bench.await(bench.tracker->recover(cid_of(77)))->local.status == TrackerStatus::Unpinned);

  std::vector<Cid> queued;
  std::function<Task<Status>(std::vector<TrackedPin>)> on_batch =
      [&queued](std::vector<TrackedPin> batch) -> Task<Status> {
    for (const TrackedPin& pin : batch) {
      queued.push_back(pin.pin.cid);
    }
    return done();
  };
  CHECK(bench.await(bench.tracker->recover_all(on_batch, StopToken())).has_value());
  CHECK(queued == std::vector<Cid>{cid_of(2)});
  CHECK(bench.until([&] { return bench.tracker->counts().pinned == 3; }));
}

TEST_CASE("slow retries cannot keep fresh pins out, nor fresh pins the retries") {
  Bench bench;
  for (uint64_t i = 0; i < 40; ++i) {
    bench.kubo->moods[cid_of(i)] = Mood::NoProviders;
    bench.put(cid_of(i));
  }
  REQUIRE(bench.until([&] { return bench.tracker->counts().pin_error == 40; }));
  bench.kubo->mood = Mood::Hang;
  {
    const std::lock_guard lock(bench.kubo->mutex);
    bench.kubo->moods.clear();
  }
  bench.advance(std::chrono::minutes(5));
  REQUIRE(bench.until([&] { return bench.kubo->running() == 9; }));  // one slot stays free
  bench.kubo->moods[cid_of(100)] = Mood::Instant;
  bench.put(cid_of(100));
  CHECK(bench.until([&] { return bench.is(cid_of(100), TrackerStatus::Pinned); }));
}
