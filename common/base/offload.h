#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/asio.h"

namespace ica {

// Runs a plain function on another executor (a disk thread, the state thread) and gives its result
// to the calling coroutine, which goes on where it was. `function` must not return void.
template <typename F>
Task<std::invoke_result_t<F&>> run_on(Executor executor, F function) {
  using R = std::invoke_result_t<F&>;
  auto initiate = [executor](auto handler, F body) {
    asio::post(executor, [handler = std::move(handler), body = std::move(body)]() mutable {
      R result = body();
      auto home = asio::get_associated_executor(handler);
      asio::post(home, [handler = std::move(handler), result = std::move(result)]() mutable {
        std::move(handler)(std::move(result));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(R)>(
      std::move(initiate), asio::use_awaitable, std::move(function));
}

namespace detail {

template <typename T, typename Handler>
struct Gathered {
  Gathered(size_t n, Handler h) : left(n), results(n), handler(std::move(h)) {}
  std::atomic<size_t> left;
  std::vector<std::optional<T>> results;
  Handler handler;
};

template <typename T, typename State>
Task<void> gather_one(Task<T> task, std::shared_ptr<State> state, size_t index) {
  T result = co_await std::move(task);
  state->results[index].emplace(std::move(result));
  if (state->left.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    co_return;
  }
  std::vector<T> all;
  all.reserve(state->results.size());
  for (auto& r : state->results) {
    all.push_back(std::move(*r));
  }
  auto home = asio::get_associated_executor(state->handler);
  asio::post(home, [handler = std::move(state->handler), all = std::move(all)]() mutable {
    std::move(handler)(std::move(all));
  });
}

}  // namespace detail

// Runs tasks side by side on the caller's executor and returns all results in order.
template <typename T>
Task<std::vector<T>> gather(std::vector<Task<T>> tasks) {
  if (tasks.empty()) {
    co_return std::vector<T>();
  }
  const Executor executor = co_await asio::this_coro::executor;
  auto initiate = [executor](auto handler, std::vector<Task<T>> list) {
    using State = detail::Gathered<T, std::decay_t<decltype(handler)>>;
    auto state = std::make_shared<State>(list.size(), std::move(handler));
    for (size_t i = 0; i < list.size(); ++i) {
      asio::co_spawn(executor, detail::gather_one<T, State>(std::move(list[i]), state, i),
                     asio::detached);
    }
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::vector<T>)>(
      std::move(initiate), asio::use_awaitable, std::move(tasks));
}

}  // namespace ica
