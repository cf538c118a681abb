#include <doctest/doctest.h>
#include <thread>

#include "tests/unit/tracker/fakes.h"

using namespace ica;
using namespace ica::tracker;
using namespace ica::tracker::test;
using api::TrackerStatus;

namespace {

Task<void> stop_and_tell(std::shared_ptr<PinTracker> tracker, std::atomic<bool>* done) {
  co_await tracker->stop();
  *done = true;
}

// What the daemon has: one state thread, two for the network, one for the disk.
struct Threads {
  asio::io_context state{1}, net{2}, disk{1};
  asio::executor_work_guard<asio::io_context::executor_type> guards[3] = {
      asio::make_work_guard(state), asio::make_work_guard(net), asio::make_work_guard(disk)};
  std::vector<std::thread> threads;

  Threads() {
    threads.emplace_back([this] { state.run(); });
    threads.emplace_back([this] { net.run(); });
    threads.emplace_back([this] { net.run(); });
    threads.emplace_back([this] { disk.run(); });
  }
  ~Threads() {
    for (auto& guard : guards) {
      guard.reset();
    }
    for (auto* context : {&state, &net, &disk}) {
      context->stop();
    }
    for (auto& thread : threads) {
      thread.join();
    }
  }
};

template <typename Condition>
bool within(std::chrono::seconds limit, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

TEST_CASE(
    "with the daemon's threads: changes, work, readers and "
    "reconciliation at once") {
  constexpr uint64_t kPins = 600;
  ica::test::ScratchDir dir;
  store::Options store_options;
  store_options.path = dir.path();
  auto store = *store::Store::open(store_options);
  FakePinset pinset(*store);
  auto kubo = std::make_shared<FakeKubo>();
  SystemClock clock;
  PinTrackerOptions options;
  options.self = peer_of('a');
  options.away_poll = std::chrono::milliseconds(1);
  {
    Threads threads;
    auto tracker = *PinTracker::open(
        options,
        {threads.state.get_executor(), threads.net.get_executor(), threads.disk.get_executor()},
        *store, pinset, kubo, clock);
    pinset.observe(*tracker);
    tracker->start();

    std::atomic<bool> writing = true;
    std::atomic<uint64_t> listed = 0;
    std::thread reader([&] {
      while (writing) {
        auto cursor = tracker->status_all(listed % 2 == 0 ? 0 : bits({TrackerStatus::Pinned}));
        while (true) {
          const auto page = cursor->next(64);
          if (!page || page->empty()) {
            break;
          }
          listed += page->size();
        }
        (void)tracker->status(cid_of(listed % kPins));
        (void)tracker->counts();
      }
    });
    for (uint64_t i = 0; i < kPins; ++i) {
      asio::post(threads.state,
                 [&, i] { pinset.change(cid_of(i), pin_of(cid_of(i), clock.now())); });
      if (i % 3 == 2) {
        asio::post(threads.state, [&, i] { pinset.change(cid_of(i - 1), std::nullopt); });
      }
      if (i % 100 == 50) {
        std::function<Task<Status>(std::vector<TrackedPin>)> nothing =
            [](std::vector<TrackedPin>) -> Task<Status> { co_return Status(); };
        asio::co_spawn(threads.net, tracker->recover_all(nothing, StopToken()), asio::detached);
        asio::co_spawn(threads.net, tracker->reconcile(StopToken()), asio::detached);
        asio::co_spawn(threads.net, tracker->check(cid_of(i), StopToken()), asio::detached);
      }
    }
    const uint64_t left = kPins - kPins / 3;
    CHECK(within(std::chrono::seconds(60), [&] {
      const TrackerCounts counts = tracker->counts();
      return counts.pinned == left && counts.unpin_queued == 0 && counts.unpinning == 0 &&
             counts.pin_queued == 0;
    }));
    writing = false;
    reader.join();
    CHECK(listed > 0);
    {
      const std::lock_guard lock(kubo->mutex);
      CHECK(kubo->pins.size() == left);
      CHECK_FALSE(kubo->overlapped);
      CHECK(kubo->most_in_flight <= 11);
    }
    std::atomic<bool> stopped = false;
    spawn(threads.net.get_executor(), stop_and_tell(tracker, &stopped), "stop");
    CHECK(within(std::chrono::seconds(10), [&] { return stopped.load(); }));
  }
}

TEST_CASE("stopping cancels what runs, in moments") {
  ica::test::ScratchDir dir;
  store::Options store_options;
  store_options.path = dir.path();
  auto store = *store::Store::open(store_options);
  FakePinset pinset(*store);
  auto kubo = std::make_shared<FakeKubo>();
  kubo->mood = FakeKubo::Mood::Hang;
  SystemClock clock;
  PinTrackerOptions options;
  options.self = peer_of('a');
  Threads threads;
  auto tracker = *PinTracker::open(
      options,
      {threads.state.get_executor(), threads.net.get_executor(), threads.disk.get_executor()},
      *store, pinset, kubo, clock);
  pinset.observe(*tracker);
  tracker->start();
  asio::post(threads.state, [&] {
    for (uint64_t i = 0; i < 20; ++i) {
      pinset.change(cid_of(i), pin_of(cid_of(i), clock.now()));
    }
  });
  REQUIRE(within(std::chrono::seconds(20), [&] { return kubo->running() == 10; }));
  std::atomic<bool> stopped = false;
  spawn(threads.net.get_executor(), stop_and_tell(tracker, &stopped), "stop");
  CHECK(within(std::chrono::seconds(10), [&] { return stopped.load(); }));
  CHECK(kubo->running() == 0);
  CHECK(tracker->counts().pin_queued == 20);
}
