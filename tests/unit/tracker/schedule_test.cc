#include "agent/tracker/schedule.h"

#include <deque>
#include <doctest/doctest.h>

using namespace ica;
using namespace ica::tracker;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("priority is for young pins with few tries, as in the reference") {
  const RetryPolicy policy;
  const Time now = Time::from_unix(1'700'000'000);
  CHECK(has_priority(policy, now.plus(-hours(1)), 0, now));
  CHECK(has_priority(policy, now.plus(-hours(1)), 5, now));
  CHECK_FALSE(has_priority(policy, now.plus(-hours(1)), 6, now));
  CHECK_FALSE(has_priority(policy, now.plus(-hours(24)), 0, now));
  CHECK(lane_for(policy, now, 0, now) == Lane::Fresh);
  CHECK(lane_for(policy, now, 1, now) == Lane::Retry);
  CHECK(lane_for(policy, now, 6, now) == Lane::Old);
  CHECK(lane_for(policy, now.plus(-hours(25)), 0, now) == Lane::Old);
}

TEST_CASE("retries double, spread and end at the recover interval") {
  const RetryPolicy policy;
  for (const double chance : {0.0, 0.5, 0.999}) {
    Duration previous{};
    for (uint32_t attempt = 1; attempt < 40; ++attempt) {
      const Duration delay = retry_delay(policy, attempt, ipfs::Reason::NoProviders, chance);
      CHECK(delay >= previous);
      CHECK(delay <= policy.max_delay);
      previous = delay;
    }
  }
  CHECK(retry_delay(policy, 1, ipfs::Reason::NoProviders, 0.5) == minutes(1));
  CHECK(retry_delay(policy, 1, ipfs::Reason::KuboError, 0.5) == seconds(15));
  CHECK(retry_delay(policy, 1, ipfs::Reason::KuboError, 0.0) == seconds(12));
}

namespace {

// Shares of the slots when every lane always has work and every pin takes equally long.
std::array<int, kLanes> shares(int slots, bool fresh, bool retry, bool old, int rounds) {
  std::array<int, kLanes> count{};
  std::deque<Lane> running;
  SlotView view;
  view.slots = slots;
  for (int i = 0; i < rounds; ++i) {
    if (running.size() == static_cast<size_t>(slots)) {
      view.busy_others -= running.front() == Lane::Fresh ? 0 : 1;
      running.pop_front();
    }
    view.fresh = fresh;
    view.retry = retry;
    view.old = old;
    const Lane lane = next_lane(view);
    if (lane == Lane::None) {
      running.push_back(Lane::Fresh);  // a slot that stays free for a turn
      continue;
    }
    ++view.turn;
    ++count[static_cast<size_t>(lane)];
    view.busy_others += lane == Lane::Fresh ? 0 : 1;
    running.push_back(lane);
  }
  return count;
}

}  // namespace

TEST_CASE("every lane gets its share of the slots, whatever their number") {
  for (const int slots : {1, 2, 3, 4, 10, 64}) {
    CAPTURE(slots);
    const auto all = shares(slots, true, true, true, 16'000);
    CHECK(all[static_cast<size_t>(Lane::Fresh)] > 10'000);
    CHECK(all[static_cast<size_t>(Lane::Retry)] > 1000);
    CHECK(all[static_cast<size_t>(Lane::Old)] > 250);
    const auto no_fresh = shares(slots, false, true, true, 16'000);
    CHECK(no_fresh[static_cast<size_t>(Lane::Retry)] > 5000);
    CHECK(no_fresh[static_cast<size_t>(Lane::Old)] > 1000);
    const auto only_old = shares(slots, false, false, true, 16'000);
    CHECK(only_old[static_cast<size_t>(Lane::Old)] >= 8'000);
  }
}

TEST_CASE("with nothing due no lane is chosen, and others never take every slot") {
  SlotView view;
  view.slots = 4;
  CHECK(next_lane(view) == Lane::None);
  view.old = true;
  view.busy_others = 3;
  CHECK(next_lane(view) == Lane::None);
  view.busy_others = 2;
  CHECK(next_lane(view) == Lane::Old);
  view.awaits = true;
  CHECK(next_lane(view) == Lane::PinAwaits);
  view.slots = 1;
  view.busy_others = 0;
  CHECK(next_lane(view) == Lane::PinAwaits);
}

TEST_CASE("pins are held back only while changes come in a burst") {
  using std::chrono::milliseconds;
  const SteadyTime start{hours(1)};
  Pace pace;
  // Begins all that it may at a time; how many those were, and how long the next has to wait.
  const auto begin_all = [&pace](SteadyTime now) {
    int begun = 0;
    while (begun < 1000 && pace.wait(now) == Duration::zero()) {
      pace.begun(now);
      ++begun;
    }
    return begun;
  };

  SUBCASE("without changes, and with a few, nothing is") {
    CHECK(begin_all(start) == 1000);
    for (int i = 0; i < 100; ++i) {
      const SteadyTime now = start + i * milliseconds(20);
      pace.changed(15, now);
      CHECK(begin_all(now) == 1000);
    }
  }
  SUBCASE("in a burst a few are begun now and then, whatever the size of its groups") {
    SteadyTime now = start;
    for (const int group : {5, 450}) {
      CAPTURE(group);
      const Duration step = group * milliseconds(1) / 5;  // 5,000 changes a second
      int begun = 0;
      for (const SteadyTime first = now; now < first + seconds(11); now += step) {
        pace.changed(static_cast<size_t>(group), now);
        begun += now < first + seconds(1) ? 0 : begin_all(now);
      }
      CHECK(begun > 1400);
      CHECK(begun < 3500);
    }
  }
  SUBCASE("after its last change all may begin, and the wait says when") {
    pace.changed(1000, start);
    CHECK(begin_all(start) == 30);
    CHECK(pace.wait(start) == milliseconds(100));
    CHECK(pace.wait(start + milliseconds(60)) == milliseconds(40));
    CHECK(begin_all(start + milliseconds(100)) == 1000);
  }
}
