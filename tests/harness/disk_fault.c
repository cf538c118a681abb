// Put in front of libc by LD_PRELOAD: calls on files of one folder fail, or are slow, while a control file says so.
//
//   DISK_FAULT_FOLDER   absolute path without links; files below it are meant
//   DISK_FAULT_CONTROL  the control file, outside of that folder; absent or empty: nothing fails
//
// It holds an error (ENOSPC or EIO) and, behind a space, which calls fail with it:
//
//   ENOSPC write   everything that takes space: writes, reservations, longer files
//   ENOSPC create  the same and new files, for which some file systems need space and others do not
//   ENOSPC short   as write, but each first write of two puts half of its bytes down, as the last one on a full disk
//   EIO sync       fsync, fdatasync, sync_file_range; what was written stays written
//   EIO read       pread and read
//   40 slow        a number: writes and syncs succeed, after so many milliseconds
//
// It is read at each call, so that a fault begins and ends in a running process.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { WRITE, CREATE, SYNC, READ };

struct fault {
  int error;   // 0 for none
  int halves;  // the first of two writes gets half of its bytes down
  int delay;   // milliseconds before it begins
};

// Below DISK_FAULT_FOLDER, and not merely beginning with its name.
static int meant(const char *path) {
  const char *folder = getenv("DISK_FAULT_FOLDER");
  const size_t size = folder == NULL ? 0 : strlen(folder);
  return size > 0 && strncmp(path, folder, size) == 0 && path[size] == '/';
}

static int meant_fd(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  return meant(path);
}

// How calls of this kind end now. Asks the kernel itself: our own open and read are in the way.
static struct fault now(enum kind kind) {
  static const char *const words[] = {"write", "create", "short", "sync", "read"};
  static const enum kind kinds[] = {WRITE, WRITE, WRITE, SYNC, READ};
  const struct fault none = {0, 0, 0};
  const char *control = getenv("DISK_FAULT_CONTROL");
  const int before = errno;
  char text[64] = "", error[16] = "", word[16] = "";
  if (control != NULL) {
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      if (syscall(SYS_read, fd, text, sizeof text - 1) < 0) text[0] = '\0';
      syscall(SYS_close, fd);
    }
  }
  errno = before;
  if (sscanf(text, "%15s %15s", error, word) != 2) return none;
  if (strcmp(word, "slow") == 0) return kind == WRITE || kind == SYNC ? (struct fault){0, 0, atoi(error)} : none;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; ++i) {
    if (strcmp(word, words[i]) == 0 && (kinds[i] == kind || (kind == CREATE && strcmp(word, "create") == 0))) {
      return (struct fault){strcmp(error, "ENOSPC") == 0 ? ENOSPC : EIO, strcmp(word, "short") == 0, 0};
    }
  }
  return none;
}

// Asks the kernel itself: a library beside this one may turn the clock.
static void wait_for(int milliseconds) {
  const int before = errno;
  struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (syscall(SYS_nanosleep, &rest, &rest) != 0 && errno == EINTR) {
  }
  errno = before;
}

// How a call on this file ends. One that is to be slow has waited.
static struct fault fault_of(enum kind kind, int fd) {
  struct fault fault = now(kind);
  if ((fault.error != 0 || fault.delay > 0) && !meant_fd(fd)) fault = (struct fault){0, 0, 0};
  if (fault.delay > 0) wait_for(fault.delay);
  return fault;
}

// Whether a call fails; errno is then set.
static int fails(enum kind kind, int fd) {
  const struct fault fault = fault_of(kind, fd);
  if (fault.error == 0) return 0;
  errno = fault.error;
  return 1;
}

// How many bytes of a write are let through; -1: it fails.
static ssize_t room(int fd, size_t size) {
  static atomic_uint count;
  const struct fault fault = fault_of(WRITE, fd);
  if (fault.error == 0) return (ssize_t)size;
  if (fault.halves && size > 1 && atomic_fetch_add(&count, 1) % 2 == 0) return (ssize_t)(size / 2);
  errno = fault.error;
  return -1;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t size) {
  REAL(write);
  const ssize_t n = room(fd, size);
  return n < 0 ? -1 : real(fd, bytes, (size_t)n);
}

#define POSITIONED_WRITE(name, offset_type) \
  ssize_t name(int fd, const void *bytes, size_t size, offset_type at) { \
    REAL(name); \
    const ssize_t n = room(fd, size); \
    return n < 0 ? -1 : real(fd, bytes, (size_t)n, at); \
  }
POSITIONED_WRITE(pwrite, off_t)
POSITIONED_WRITE(pwrite64, off64_t)

#define FAILING(type, name, kind, parameters, arguments) \
  type name parameters { \
    REAL(name); \
    return fails(kind, fd) ? -1 : real arguments; \
  }
FAILING(ssize_t, writev, WRITE, (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING(ssize_t, pwritev, WRITE, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
FAILING(int, fallocate, WRITE, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
FAILING(int, fsync, SYNC, (int fd), (fd))
FAILING(int, fdatasync, SYNC, (int fd), (fd))
FAILING(ssize_t, read, READ, (int fd, void *bytes, size_t size), (fd, bytes, size))
FAILING(ssize_t, pread, READ, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
FAILING(ssize_t, pread64, READ, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))

// Without flags it only asks whether there is such a call, and no disk fails at that.
int sync_file_range(int fd, off64_t at, off64_t size, unsigned flags) {
  REAL(sync_file_range);
  return flags != 0 && fails(SYNC, fd) ? -1 : real(fd, at, size, flags);
}

int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  return fails(WRITE, fd) ? errno : real(fd, at, size);
}

// A file that is made shorter needs no space.
int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  struct stat found;
  return fstat(fd, &found) == 0 && size > found.st_size && fails(WRITE, fd) ? -1 : real(fd, size);
}

// One that is there already can be opened on a full disk.
#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if (flags & O_CREAT && meant(path) && access(path, F_OK) != 0) { \
      const struct fault fault = now(CREATE); \
      errno = fault.error; \
      if (fault.error != 0) return -1; \
    } \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
