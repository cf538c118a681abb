#include "agent/tracker/schedule.h"

#include <algorithm>

namespace ica::tracker {

namespace {

// Rates are counted in windows, also because pins that are begun together cost less than one by
// one.
constexpr Duration kWindow = std::chrono::milliseconds(100);
// 1,000 changes a second. A Kubo that has the content pins some hundreds in a second.
constexpr size_t kBurst = 100;
constexpr size_t kBegunInBurst = 30;

}  // namespace

bool has_priority(const RetryPolicy& policy, Time pin_timestamp, uint32_t attempts, Time now) {
  return now < pin_timestamp.plus(policy.priority_max_age) &&
         attempts <= policy.priority_max_retries;
}

Lane lane_for(const RetryPolicy& policy, Time pin_timestamp, uint32_t attempts, Time now) {
  if (!has_priority(policy, pin_timestamp, attempts, now)) {
    return Lane::Old;
  }
  return attempts == 0 ? Lane::Fresh : Lane::Retry;
}

Duration retry_delay(const RetryPolicy& policy, uint32_t attempts, ipfs::Reason reason,
                     double chance) {
  // Content that nobody provides has cost a slot for pin_timeout already; an error of Kubo may be
  // over in a moment.
  const bool slow = reason == ipfs::Reason::NoProviders || reason == ipfs::Reason::Stalled;
  const Duration base = slow ? std::chrono::seconds(60) : std::chrono::seconds(15);
  const uint32_t doublings = std::min<uint32_t>(attempts == 0 ? 0 : attempts - 1, 16);
  const Duration delay = std::min<Duration>(base * (int64_t{1} << doublings), policy.max_delay);
  const double spread = 0.8 + 0.4 * chance;
  return std::min<Duration>(
      Duration(static_cast<int64_t>(static_cast<double>(delay.count()) * spread)),
      policy.max_delay);
}

Lane next_lane(const SlotView& view) {
  const bool others = view.retry || view.old || view.awaits;
  const int reserved = view.slots > 1 ? std::max(1, view.slots / 8) : 0;
  const bool others_fit = view.busy_others < view.slots - reserved;
  if (!view.fresh && !(others && others_fit)) {
    return Lane::None;
  }
  const bool others_first =
      view.slots >= 4 ? view.busy_others < view.slots / 4 : view.turn % 4 == 3;
  if (view.fresh && !(others && others_fit && others_first)) {
    return Lane::Fresh;
  }
  // Among the others what waited for Kubo's return goes first, and old work has its share again.
  const bool old_turn = (view.turn / 4) % 4 == 3 || (view.slots >= 4 && view.turn % 4 == 3);
  if (view.old && (old_turn || (!view.awaits && !view.retry))) {
    return Lane::Old;
  }
  return view.awaits ? Lane::PinAwaits : Lane::Retry;
}

void Pace::Count::add(size_t more, SteadyTime now) {
  pins = at(now) + more;
  if (now - since >= kWindow) {
    since = now;
  }
}

size_t Pace::Count::at(SteadyTime now) const {
  return now - since < kWindow ? pins : 0;
}

void Pace::changed(size_t pins, SteadyTime now) {
  changed_.add(pins, now);
  if (changed_.at(now) >= kBurst) {
    burst_until_ = now + kWindow;
  }
}

void Pace::begun(SteadyTime now) {
  begun_.add(1, now);
}

Duration Pace::wait(SteadyTime now) const {
  if (now >= burst_until_ || begun_.at(now) < kBegunInBurst) {
    return Duration::zero();
  }
  return std::min(begun_.since + kWindow, burst_until_) - now;
}

}  // namespace ica::tracker
