#include "agent/monitor/disk_guard.h"

#include <algorithm>
#include <limits>
#include <sys/statvfs.h>

#include "common/base/log.h"

namespace ica::monitor {
namespace {

uint64_t minus(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

uint64_t times(uint64_t a, uint64_t b) {
  uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? std::numeric_limits<uint64_t>::max() : out;
}

// Of a limit that is not set nothing is used.
int percent(uint64_t used, uint64_t of) {
  if (of == 0) {
    return 0;
  }
  return static_cast<int>(
      std::min(100.0, static_cast<double>(used) * 100 / static_cast<double>(of)));
}

}  // namespace

std::optional<FileSystemSpace> space_of(const std::string& path) {
  struct statvfs stat {};
  if (path.empty() || ::statvfs(path.c_str(), &stat) != 0) {
    return std::nullopt;
  }
  return FileSystemSpace{times(stat.f_blocks, stat.f_frsize), times(stat.f_bavail, stat.f_frsize)};
}

void DiskGuard::update(uint64_t repo_size, uint64_t storage_max,
                       std::optional<FileSystemSpace> disk) {
  Reading reading;
  reading.repo_size = repo_size;
  reading.free = minus(storage_max, repo_size);
  reading.used_percent = percent(repo_size, storage_max);
  if (disk) {
    reading.free = std::min(reading.free, disk->available);
    reading.used_percent =
        std::max(reading.used_percent, percent(minus(disk->total, disk->available), disk->total));
  }
  const std::lock_guard lock(mutex_);
  const bool was_full = last_ && last_->full;
  reading.full = limits_.high_percent > 0 &&
                 reading.used_percent >= (was_full ? limits_.low_percent : limits_.high_percent);
  if (reading.full != was_full) {
    log_warn("diskinfo", "{} % of Kubo's disk are in use: {}", reading.used_percent,
             reading.full ? "no pin is started and no free space is told" : "pinning goes on");
  }
  last_ = reading;
  measured_ = clock_.steady();
}

std::optional<DiskGuard::Reading> DiskGuard::reading() const {
  const std::lock_guard lock(mutex_);
  if (!last_) {
    return std::nullopt;
  }
  Reading out = *last_;
  out.age = clock_.steady() - measured_;
  return out;
}

bool DiskGuard::full() const {
  const std::lock_guard lock(mutex_);
  return last_ && last_->full;
}

}  // namespace ica::monitor
