#include "agent/cmd/runtime.h"

#include <future>
#include <pthread.h>

#include "common/base/async.h"

namespace ica::cmd {
namespace {

constexpr int kNetThreads = 2;
constexpr int kDiskThreads = 4;

Task<void> then_tell(Task<void> task, std::shared_ptr<std::promise<void>> done) {
  co_await std::move(task);
  done->set_value();
}

}  // namespace

Runtime::Group::Group(const std::string& name, int count)
    : context(count), work(asio::make_work_guard(context)) {
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([this, thread_name = count == 1 ? name : fmt::format("{}-{}", name, i)] {
      pthread_setname_np(pthread_self(), thread_name.c_str());
      context.run();
    });
  }
}

void Runtime::Group::stop() {
  work.reset();
  context.stop();
  for (auto& thread : threads) {
    thread.join();
  }
  threads.clear();
}

Runtime::Runtime() : disk_("disk", kDiskThreads), state_("state", 1), net_("net", kNetThreads) {}

Runtime::~Runtime() {
  stop();
}

void Runtime::stop() {
  net_.stop();
  state_.stop();
  disk_.stop();
}

bool wait_for(const Executor& executor, Task<void> task, std::chrono::nanoseconds limit) {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  spawn(executor, then_tell(std::move(task), std::move(done)), "waiting for a task");
  return future.wait_for(limit) == std::future_status::ready;
}

}  // namespace ica::cmd
