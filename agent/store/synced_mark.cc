#include "agent/store/synced_mark.h"

#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"

namespace ica::store {

namespace fs = std::filesystem;

namespace {

// Within one sector, so that it is written as a whole.
constexpr size_t kMaxMark = 256;

// What a copy of the file does not have. Empty when it cannot be told.
std::string identity_of(int fd) {
  struct statx s {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &s) != 0 ||
      (s.stx_mask & STATX_INO) == 0) {
    return {};
  }
  // File systems without a time of birth say 0, and the number of the file has to do.
  const bool born = (s.stx_mask & STATX_BTIME) != 0;
  return fmt::format("{}.{}:{}:{}.{:09}", s.stx_dev_major, s.stx_dev_minor, s.stx_ino,
                     born ? s.stx_btime.tv_sec : 0, born ? s.stx_btime.tv_nsec : 0);
}

// The number stands there twice, so that damage to the mark is not taken for damage to the log.
std::string mark_of(uint64_t sequence, std::string_view identity) {
  return fmt::format("{:020} {:020} {}\n", sequence, sequence, identity);
}

}  // namespace

SyncedMark::~SyncedMark() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

uint64_t SyncedMark::read(const fs::path& folder) {
  const int fd = ::open((folder / kFile).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return 0;
  }
  char bytes[kMaxMark];
  const ssize_t size = ::read(fd, bytes, sizeof bytes);
  const std::string identity = identity_of(fd);
  ::close(fd);
  const std::string_view text(bytes, size > 0 ? static_cast<size_t>(size) : 0);
  uint64_t sequence = 0;
  const auto number = text.substr(0, text.find(' '));
  std::from_chars(number.data(), number.data() + number.size(), sequence);
  return !identity.empty() && text == mark_of(sequence, identity) ? sequence : 0;
}

void SyncedMark::open(const fs::path& folder, uint64_t sequence) {
  const fs::path path = folder / kFile;
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ >= 0) {
    identity_ = identity_of(fd_);
  }
  if (identity_.empty()) {
    log_warn("store", "no mark of what was synced can be kept in {}: {}", path.string(),
             std::generic_category().message(errno));
    return;
  }
  set(sequence);
  // What came here by copying may be longer.
  if (::ftruncate(fd_, static_cast<off_t>(mark_of(sequence, identity_).size())) != 0) {
    log_debug("store", "the mark of what was synced was not cut to its size");
  }
}

void SyncedMark::set(uint64_t sequence) {
  if (identity_.empty()) {
    return;
  }
  const std::string mark = mark_of(sequence, identity_);
  // A mark that cannot be written stays at an older number, which is true as well.
  if (::pwrite(fd_, mark.data(), mark.size(), 0) != static_cast<ssize_t>(mark.size())) {
    log_debug("store", "the mark of what was synced was not written");
  }
}

void SyncedMark::remove(const fs::path& folder) {
  std::error_code ignored;
  fs::remove(folder / kFile, ignored);
}

}  // namespace ica::store
