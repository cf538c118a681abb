#pragma once

#include <atomic>
#include <cstdint>

namespace ica::tracker {

// Whether every CID is settled, for readers of snapshots: they need not look for rows then. A
// number that is even while no unsettled row is on disk, and that changes each time that one may
// be. Thread-safety: unsettle() and settle() on one thread, the rest on any.
class SettledMark {
 public:
  // Before a commit that writes an unsettled row.
  void unsettle() {
    if (value_ % 2 == 0) {
      ++value_;
    }
  }
  // No unsettled row is on disk, and no commit that has begun writes one.
  void settle() {
    if (value_ % 2 != 0) {
      ++value_;
    }
  }

  // What held_since() wants: to be read before the snapshot is taken.
  uint64_t before() const { return value_; }
  // Whether a snapshot taken between the two calls holds no unsettled row.
  bool held_since(uint64_t before) const { return before % 2 == 0 && value_ == before; }

 private:
  std::atomic<uint64_t> value_ = 1;
};

}  // namespace ica::tracker
