#pragma once

#include <algorithm>

#include "common/base/clock.h"

namespace ica::cluster {

// So many things a second, after a second's worth at once. Thread-safety: none.
class TokenRate {
 public:
  explicit TokenRate(int per_second) : per_second_(per_second) {}

  // Takes `n` and says how long to wait before they are used. Never longer than what `n` takes plus
  // what earlier callers were told.
  Duration take(size_t n, SteadyTime now) {
    if (per_second_ <= 0) {
      return {};
    }
    const SteadyTime earliest = now - std::chrono::seconds(1);
    next_ = std::max(next_, earliest) +
            std::chrono::duration_cast<SteadyTime::duration>(
                std::chrono::duration<double>(static_cast<double>(n) / per_second_));
    return std::max<Duration>(next_ - now, Duration::zero());
  }

 private:
  const int per_second_;
  SteadyTime next_{};
};

}  // namespace ica::cluster
