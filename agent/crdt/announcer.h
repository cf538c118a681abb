#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"

namespace ica::crdt {

// When to tell the others which heads we have. A pure state machine: time and randomness come from
// outside. Thread-safety: none.
class Announcer {
 public:
  struct Options {
    // Never more often than this for changes of our own.
    Duration coalesce = std::chrono::milliseconds(100);
    // Again this long after the last change: the message that was lost may have been the last one.
    std::vector<Duration> repeats = {std::chrono::milliseconds(500), std::chrono::seconds(2),
                                     std::chrono::seconds(8)};
    // And for ever, +-30 %, the heads that nobody else announced meanwhile.
    Duration rebroadcast = std::chrono::seconds(60);
  };

  Announcer(Options options, uint64_t seed, SteadyTime now);

  // We have new heads of our own, or somebody came who has not heard of any.
  void changed(SteadyTime now);
  // Others announced these.
  void heard(const std::vector<Bytes>& digests);
  // When poll() has something to do.
  SteadyTime next() const;
  // What to announce at `now`, of the present heads; mostly nothing.
  std::vector<Bytes> poll(SteadyTime now, const std::vector<Bytes>& heads);

 private:
  void schedule_rebroadcast(SteadyTime now);

  const Options options_;
  std::mt19937_64 random_;
  std::optional<SteadyTime> send_at_;
  std::optional<SteadyTime> last_sent_;
  SteadyTime last_change_{};
  size_t repeats_done_ = 0;  // repeats_.size(): none outstanding
  SteadyTime rebroadcast_at_{};
  std::set<Bytes> heard_;
};

}  // namespace ica::crdt
