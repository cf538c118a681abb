// Put in front of libfaketime by LD_PRELOAD. Version 0.9.10 takes every absolute time of timerfd_settime for a wall time, also
// on a monotonic clock; under a clock that has jumped, a timer that is to ring at once (Asio: absolute, one nanosecond) then
// never does. No timer of the agent is on the wall clock, so all of these calls go to the kernel as they are.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *before) {
  return (int)syscall(SYS_timerfd_settime, fd, flags, value, before);
}

int timerfd_gettime(int fd, struct itimerspec *value) {
  return (int)syscall(SYS_timerfd_gettime, fd, value);
}
