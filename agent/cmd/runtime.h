#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/asio.h"

namespace ica::cmd {

// The threads of the daemon, docs/threads.md: net-0..1, state, disk-0..3. Each group runs one
// io_context from construction until stop(). Thread-safety: construct and stop from one thread.
class Runtime {
 public:
  Runtime();
  ~Runtime();  // stops
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  asio::io_context& net() { return net_.context; }
  Executor state() { return state_.context.get_executor(); }  // one thread
  Executor disk() { return disk_.context.get_executor(); }

  // Ends all threads after what they do now; what waits in the queues is dropped.
  void stop();

 private:
  struct Group {
    Group(const std::string& name, int threads);
    void stop();
    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    std::vector<std::thread> threads;
  };
  Group disk_;
  Group state_;
  Group net_;
};

// Runs `task` on `executor` and waits for its end on the calling thread, at most `limit`; false
// when it takes longer.
bool wait_for(const Executor& executor, Task<void> task, std::chrono::nanoseconds limit);

}  // namespace ica::cmd
