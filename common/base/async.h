#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#include "common/base/asio.h"

namespace ica {

// Continues the calling coroutine on `executor`; what follows runs there.
inline Task<void> resume_on(Executor executor) {
  // Bound to it: what is posted alone would be dispatched back to the coroutine's own executor.
  co_await asio::post(asio::bind_executor(executor, asio::use_awaitable));
}

// Suspends for `duration`, or until `stop` is requested. Ok after the full time, Cancelled
// otherwise.
Task<Status> sleep_for(std::chrono::nanoseconds duration, StopToken stop = {});

// A coroutine root: starts `task` on `executor`. An exception that escapes it is a bug of ours; it
// is logged with `what` and the process stops, because nobody is left to hear of it.
void spawn(Executor executor, Task<void> task, const char* what);

// Wakes coroutines that wait on it. It has no memory: check the condition, then wait, on the same
// strand. Thread-safety: notify_all from any thread; wait from coroutines that run on `executor`,
// which must be a strand or a single-threaded context.
class Event {
 public:
  explicit Event(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

  // True after the next notify_all, false at the deadline or when stopped.
  Task<bool> wait(std::chrono::nanoseconds at_most = std::chrono::hours(24 * 365),
                  StopToken stop = {});
  void notify_all();

 private:
  struct State {
    explicit State(Executor e) : executor(std::move(e)) {}
    Executor executor;
    uint64_t generation = 0;
    std::vector<std::shared_ptr<asio::steady_timer>> waiters;
  };
  static Task<bool> wait_on(std::shared_ptr<State> state, std::chrono::nanoseconds at_most,
                            StopToken stop);

  std::shared_ptr<State> state_;
};

}  // namespace ica
