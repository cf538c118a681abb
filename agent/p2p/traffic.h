#pragma once

#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/base/clock.h"

namespace ica::p2p {

struct TrafficSnapshot {
  int64_t total_in = 0;  // bytes
  int64_t total_out = 0;
  double rate_in = 0;  // bytes a second, lately
  double rate_out = 0;
};

// Bytes of one protocol and their rate, an average that forgets with a time constant of 3.5 s (what
// the reference's meter, a weight of a quarter each second, comes to). Thread-safety: any thread.
class Traffic {
 public:
  void add_in(size_t bytes) { add(in_, bytes); }
  void add_out(size_t bytes) { add(out_, bytes); }
  TrafficSnapshot snapshot() const {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    return {in_.total, out_.total, in_.rate_at(now), out_.rate_at(now)};
  }

 private:
  static constexpr double kSeconds = 3.5;
  struct Meter {
    int64_t total = 0;
    double rate = 0;
    SteadyTime at{};
    double rate_at(SteadyTime now) const {
      const double decayed =
          rate * std::exp(-std::chrono::duration<double>(now - at).count() / kSeconds);
      return decayed < 0.001 ? 0 : decayed;
    }
  };
  void add(Meter& meter, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    meter.rate = meter.rate_at(now) + static_cast<double>(bytes) / kSeconds;
    meter.at = now;
    meter.total += static_cast<int64_t>(bytes);
  }

  mutable std::mutex mutex_;
  Meter in_;
  Meter out_;
};

// One Traffic a protocol name. Names come from our own handlers and calls, so their number is
// bounded. Thread-safety: any thread.
class TrafficTable {
 public:
  std::shared_ptr<Traffic> of(const std::string& protocol) {
    const std::lock_guard lock(mutex_);
    auto& entry = table_[protocol];
    if (!entry) {
      entry = std::make_shared<Traffic>();
    }
    return entry;
  }
  std::map<std::string, TrafficSnapshot> snapshot() const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, TrafficSnapshot> out;
    for (const auto& [name, traffic] : table_) {
      out[name] = traffic->snapshot();
    }
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Traffic>> table_;
};

}  // namespace ica::p2p
