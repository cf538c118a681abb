#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/api/peer.h"
#include "common/base/clock.h"

namespace ica::monitor {

// Bytes of a file system.
struct FileSystemSpace {
  uint64_t total = 0;
  uint64_t available = 0;  // to a user that is not root
};
// Nothing when the path cannot be looked at.
std::optional<FileSystemSpace> space_of(const std::string& path);

struct DiskLimits {
  int high_percent = 95;  // 0: no guard
  int low_percent = 90;
};

// What is known of Kubo's disk, and whether it is too full for more pins: above the high mark,
// until it is below the low one. Old values are kept and told with their age, since Kubo can take
// minutes to measure a large repository. Thread-safety: all methods from any thread.
class DiskGuard {
 public:
  // A value older than this is not told any more.
  static constexpr Duration kMaxAge = std::chrono::minutes(30);

  DiskGuard(const Clock& clock, DiskLimits limits) : clock_(clock), limits_(limits) {}

  // A new measurement; `disk` when the path of Kubo's disk is visible.
  void update(uint64_t repo_size, uint64_t storage_max, std::optional<FileSystemSpace> disk);

  struct Reading {
    uint64_t repo_size = 0;
    uint64_t free = 0;  // the least of what the limit and the file system leave
    int used_percent = 0;
    Duration age{};
    bool full = false;
  };
  // Nothing before the first measurement.
  std::optional<Reading> reading() const;
  bool full() const;

 private:
  const Clock& clock_;
  const DiskLimits limits_;
  mutable std::mutex mutex_;
  std::optional<Reading> last_;
  SteadyTime measured_;
};

}  // namespace ica::monitor
