#include "common/base/file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/system_words.h"

namespace ica {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> system_error(std::string_view what, const std::filesystem::path& path,
                                   int error) {
  return fail(error == ENOENT ? Code::NotFound : Code::Io, "{} {}: {}", what, path.string(),
              system_words(error));
}

Status write_all(int fd, BytesView data, const std::filesystem::path& path) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return system_error("write", path, errno);
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, size_t limit) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return system_error("open", path, errno);
  }
  struct stat info {};
  if (fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode) &&
      static_cast<uint64_t>(info.st_size) > limit) {
    return fail(Code::TooLarge, "{} has {} bytes, more than {}", path.string(), info.st_size,
                limit);
  }
  Bytes data;
  char buffer[16384];
  for (;;) {
    const ssize_t n = read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return system_error("read", path, errno);
    }
    if (n == 0) {
      return data;
    }
    // A pipe or a growing file is caught here.
    if (data.size() + static_cast<size_t>(n) > limit) {
      return fail(Code::TooLarge, "{} has more than {} bytes", path.string(), limit);
    }
    data.append(buffer, static_cast<size_t>(n));
  }
}

Status write_file(const std::filesystem::path& path, BytesView data, mode_t mode) {
  std::string temporary = path.string() + ".XXXXXX";
  Status written;
  {
    const Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));
    if (file.get() < 0) {
      return system_error("open", path, errno);
    }
    written = write_all(file.get(), data, path);
    if (written && (fchmod(file.get(), mode) != 0 || fsync(file.get()) != 0)) {
      written = system_error("write", path, errno);
    }
  }
  if (written && rename(temporary.c_str(), path.c_str()) != 0) {
    written = system_error("rename", path, errno);
  }
  if (!written) {
    unlink(temporary.c_str());
    return written;
  }
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || (fsync(directory.get()) != 0 && errno != EINVAL)) {
    return system_error("sync", folder, errno);
  }
  return {};
}

}  // namespace ica
