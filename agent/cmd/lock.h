#pragma once

#include <filesystem>
#include <memory>

#include "common/base/result.h"

namespace ica::cmd {

// Keeps a second process out of a configuration folder: an fcntl lock on its cluster.lock, the one
// that ipfs-cluster-service takes too, so that the two never run on one folder. Released at the end
// of the process at the latest. Thread-safety: none.
class FolderLock {
 public:
  // Busy when somebody else has it; Io when the file cannot be made.
  static Result<FolderLock> take(const std::filesystem::path& folder, const std::string& program);
  FolderLock(FolderLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace ica::cmd
