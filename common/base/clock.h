#pragma once

#include <chrono>

#include "common/base/time.h"

namespace ica {

using SteadyTime = std::chrono::steady_clock::time_point;

// Time as the parts with state see it, so that tests and the simulator can turn it by hand.
// Thread-safety: implementations are safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, for what is stored, shown and sent.
  virtual Time now() const = 0;
  // Monotonic, for intervals and deadlines.
  virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override { return Time::now(); }
  SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

// A clock that moves only when told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = Time::from_unix(1'700'000'000)) : now_(start) {}
  Time now() const override { return now_; }
  SteadyTime steady() const override { return steady_; }
  void advance(std::chrono::nanoseconds by) {
    now_ = now_.plus(by);
    steady_ += std::chrono::duration_cast<std::chrono::steady_clock::duration>(by);
  }

 private:
  Time now_;
  SteadyTime steady_{};
};

}  // namespace ica
