#pragma once

#include "agent/tracker/row.h"
#include "common/base/clock.h"
#include "common/base/time.h"

// When and in which order pins are tried. Pure functions: time and chance are arguments.
namespace ica::tracker {

struct RetryPolicy {
  Duration priority_max_age = std::chrono::hours(24);
  uint32_t priority_max_retries = 5;
  Duration max_delay = std::chrono::minutes(12);  // pin_recover_interval: the reference's retry
};

// The reference's rule: young, and not tried too often yet.
bool has_priority(const RetryPolicy& policy, Time pin_timestamp, uint32_t attempts, Time now);

// The lane of a pin that is queued with this many tries behind it.
Lane lane_for(const RetryPolicy& policy, Time pin_timestamp, uint32_t attempts, Time now);

// How long to wait after try number `attempts` (>= 1) failed; doubles each time, +-20 % by `chance`
// in [0, 1), at most max_delay.
Duration retry_delay(const RetryPolicy& policy, uint32_t attempts, ipfs::Reason reason,
                     double chance);

// Which lane the next free pin slot goes to. Fresh pins come first, but slow or failing ones always
// have a quarter of the slots (of the turns, when there are fewer than four slots), and can never
// take all of them.
struct SlotView {
  int slots = 1;
  int busy_others = 0;  // slots with pins of other lanes than Fresh
  uint64_t turn = 0;    // picks so far
  bool fresh = false;   // whether the lane has something due
  bool retry = false;
  bool old = false;
  bool awaits = false;
};
Lane next_lane(const SlotView& view);

// Holds pins back while changes of the pinset come faster than any Kubo could follow: what clients
// are told and peers agree on then comes first. Not thread-safe.
class Pace {
 public:
  void changed(size_t pins, SteadyTime now);
  void begun(SteadyTime now);
  // Zero, or how long to wait before the next pin may be begun.
  Duration wait(SteadyTime now) const;

 private:
  struct Count {
    SteadyTime since{};
    size_t pins = 0;

    void add(size_t more, SteadyTime now);
    size_t at(SteadyTime now) const;
  };
  Count changed_;
  Count begun_;
  SteadyTime burst_until_{};
};

}  // namespace ica::tracker
