#pragma once

#include <mutex>
#include <optional>
#include <random>
#include <string>

#include "common/base/time.h"

namespace ica::ipfs {

// Circuit breaker: after a failure to reach Kubo calls are refused at once with the last cause,
// while one prober tries with growing pauses; the first success lets everybody through again. Only
// bookkeeping: the owner makes the calls and sleeps. Thread-safety: any thread.
class Breaker {
 public:
  struct Options {
    Duration first_delay = std::chrono::milliseconds(100);
    Duration max_delay = std::chrono::seconds(10);
    uint64_t seed = 0;
  };
  explicit Breaker(const Options& options);

  // The cause to refuse a call with; nothing when calls may pass.
  std::optional<std::string> refused() const;
  // A call did not reach Kubo. True when this opened the breaker: the caller starts the prober.
  bool failed(std::string_view cause);
  // A call reached Kubo, whatever the answer was.
  void succeeded();
  // How long the prober waits before its next try: doubling up to max_delay, +-25 %.
  Duration next_delay();

  bool open() const;
  // False before the first success as well.
  bool reachable() const;

 private:
  const Options options_;
  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  bool open_ = false;
  bool reached_ = false;
  std::string cause_;
  Duration delay_;
};

}  // namespace ica::ipfs
