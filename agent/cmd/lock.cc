#include "agent/cmd/lock.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/system_words.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kLockFile = "cluster.lock";

tl::unexpected<Error> refused(Code code, const std::filesystem::path& path, std::string_view why,
                              const std::string& program) {
  return fail(
      code,
      "lock {0}: {1}. If no other {2} process is running, remove {0}, or make sure that the "
      "config folder is writable for the user running {2}.",
      path.string(), why, program);
}

}  // namespace

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder,
                                    const std::string& program) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const auto path = folder / kLockFile;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) {
    return refused(Code::Io, path, system_words(errno), program);
  }
  FolderLock lock(fd);
  struct flock region {};
  region.l_type = F_WRLCK;
  region.l_whence = SEEK_SET;
  if (fcntl(fd, F_SETLK, &region) != 0) {
    if (errno == EACCES || errno == EAGAIN) {
      return refused(Code::Busy, path, "someone else has the lock", program);
    }
    return refused(Code::Io, path, system_words(errno), program);
  }
  return lock;
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

}  // namespace ica::cmd
