#include "common/base/async.h"

#include "common/base/log.h"

namespace ica {

namespace {

// A stop callback runs on the thread that requests the stop; timers must be touched on their own
// executor only.
struct CancelTimer {
  std::shared_ptr<asio::steady_timer> timer;
  void operator()() const {
    asio::post(timer->get_executor(), [timer = timer] { timer->cancel(); });
  }
};

struct LogEscape {
  const char* what;
  void operator()(std::exception_ptr error) const {
    if (!error) {
      return;
    }
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log_error("service", "an exception escaped {}: {}", what, e.what());
    } catch (...) {
      log_error("service", "an unknown exception escaped {}", what);
    }
    log_flush();
    std::abort();
  }
};

}  // namespace

Task<Status> sleep_for(std::chrono::nanoseconds duration, StopToken stop) {
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  timer->expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(duration));
  std::stop_callback on_stop(stop, CancelTimer{timer});
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (ec || stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  co_return Status();
}

void spawn(Executor executor, Task<void> task, const char* what) {
  asio::co_spawn(executor, std::move(task), LogEscape{what});
}

Task<bool> Event::wait(std::chrono::nanoseconds at_most, StopToken stop) {
  return wait_on(state_, at_most, std::move(stop));
}

Task<bool> Event::wait_on(std::shared_ptr<State> state, std::chrono::nanoseconds at_most,
                          StopToken stop) {
  const uint64_t before = state->generation;
  auto timer = std::make_shared<asio::steady_timer>(state->executor);
  timer->expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(at_most));
  state->waiters.push_back(timer);
  std::stop_callback on_stop(stop, CancelTimer{timer});
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  std::erase(state->waiters, timer);
  co_return state->generation != before;
}

void Event::notify_all() {
  asio::post(state_->executor, [state = state_] {
    ++state->generation;
    for (const auto& timer : state->waiters) {
      timer->cancel();
    }
  });
}

}  // namespace ica
