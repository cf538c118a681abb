#pragma once

#include <fmt/format.h>
#include <stdexcept>
#include <string>

#include "common/base/result.h"

namespace ica::sim {

// A run did something that must not happen. Caught where the seed is known, which replays it.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Args>
void require(bool condition, fmt::format_string<Args...> what, Args&&... args) {
  if (!condition) {
    throw Violation(fmt::format(what, std::forward<Args>(args)...));
  }
}

// The value of a call that cannot fail here.
template <typename T>
T must(Result<T> result, std::string_view what) {
  if (!result) {
    throw Violation(fmt::format("{}: {}", what, result.error().message()));
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}

}  // namespace ica::sim
