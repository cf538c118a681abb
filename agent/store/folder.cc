#include "agent/store/folder.h"

#include <fcntl.h>
#include <unistd.h>

namespace ica::store {

namespace fs = std::filesystem;

pid_t lock_holder(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return 0;
  }
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return held ? lock.l_pid : 0;
}

bool takes_writes(const fs::path& folder) {
  const fs::path file = folder / "PROBE";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return false;
  }
  const std::string page(4096, '.');
  const bool written = ::write(fd, page.data(), page.size()) == static_cast<ssize_t>(page.size()) &&
                       ::fsync(fd) == 0;
  ::close(fd);
  ::unlink(file.c_str());
  return written;
}

Status check_folder(const fs::path& path, bool read_only) {
  std::error_code ec;
  const bool has_current = fs::exists(path / "CURRENT", ec);
  if (has_current) {
    return {};
  }
  if (fs::exists(path, ec)) {
    for (const auto& entry : fs::directory_iterator(path, ec)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("MANIFEST-") || name.ends_with(".sst")) {
        return fail(
            Code::Corrupt,
            "the data folder {} is damaged: the file CURRENT is missing; restore the folder "
            "from a backup, or move it away and let this peer sync again",
            path.string());
      }
    }
  }
  if (read_only) {
    return fail(Code::NotFound, "there is no data folder {}", path.string());
  }
  fs::create_directories(path, ec);
  if (ec) {
    return fail(Code::Io, "cannot make the data folder {}: {}", path.string(), ec.message());
  }
  return {};
}

}  // namespace ica::store
