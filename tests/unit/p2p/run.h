#pragma once

#include <doctest/doctest.h>

#include "common/base/async.h"

namespace ica {

// Runs a coroutine on a fresh context until it has ended; fails when that takes longer than a
// minute.
template <typename F, typename... Args>
void run_on(asio::io_context& context, F function, Args... args) {
  bool done = false;
  asio::co_spawn(context, function(args...), [&](std::exception_ptr error) {
    done = true;
    if (error) {
      std::rethrow_exception(error);
    }
  });
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done && std::chrono::steady_clock::now() < give_up) {
    context.restart();
    context.run_one_for(std::chrono::seconds(1));
  }
  REQUIRE(done);
}

}  // namespace ica
