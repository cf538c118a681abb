#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "common/base/error.h"

namespace ica {

// A value or an Error. Everything that can fail because of disk, network, input or another peer
// returns one; bugs do not (they ICA_ASSERT).
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result(Base&& b) : Base(std::move(b)) {}
  Result(const Base& b) : Base(b) {}

  // Says on the way up what was being done: `decode(raw).context("pin record {}", cid)`.
  template <typename... Args>
  Result context(fmt::format_string<Args...> format, Args&&... args) && {
    if (this->has_value()) {
      return std::move(*this);
    }
    return tl::unexpected<Error>(
        std::move(this->error()).with_context(fmt::format(format, std::forward<Args>(args)...)));
  }
};

using Status = Result<void>;

// `return fail(Code::NotFound, "pin {} is not here", cid);`
template <typename... Args>
tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

// Hands an Error on as the failure of any Result.
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace ica

#define ICA_CONCAT_(a, b) a##b
#define ICA_CONCAT(a, b) ICA_CONCAT_(a, b)

// TRY(auto x, f()): x is the value of f(), or the enclosing function returns the error.
#define TRY(declaration, ...) TRY_(ICA_CONCAT(try_, __LINE__), return, declaration, __VA_ARGS__)
#define CO_TRY(declaration, ...) \
  TRY_(ICA_CONCAT(try_, __LINE__), co_return, declaration, __VA_ARGS__)
#define TRY_(name, ret, declaration, ...)     \
  auto name = (__VA_ARGS__);                  \
  if (!name.has_value()) {                    \
    ret ::ica::fail(std::move(name).error()); \
  }                                           \
  declaration = *std::move(name)

// TRY_VOID(f()): the same for a Status.
#define TRY_VOID(...) TRY_VOID_(ICA_CONCAT(try_, __LINE__), return, __VA_ARGS__)
#define CO_TRY_VOID(...) TRY_VOID_(ICA_CONCAT(try_, __LINE__), co_return, __VA_ARGS__)
#define TRY_VOID_(name, ret, ...)                     \
  if (auto name = (__VA_ARGS__); !name.has_value()) { \
    ret ::ica::fail(std::move(name).error());         \
  }

// A bug, never remote input: stops the process, also in release builds.
#define ICA_ASSERT(expression) \
  ((expression) ? (void)0 : ::ica::assert_failed(#expression, __FILE__, __LINE__))
#define ICA_UNREACHABLE() ::ica::assert_failed("unreachable", __FILE__, __LINE__)
