#include "agent/ctl/session.h"

#include <fmt/format.h>

#include "agent/ctl/json_scanner.h"
#include "common/api/peer.h"

namespace ica::ctl {

void Session::show(std::string_view document, TextFormat text) {
  console_.out(json() ? indent_json(document) + "\n" : text(document));
}

int Session::finish(const ApiResult<std::string>& result, TextFormat text) {
  if (!result) {
    return report(result.error());
  }
  if (!result->empty()) {
    show(*result, text);
  }
  return kExitOk;
}

int Session::finish(const ApiResult<void>& result) {
  return result ? kExitOk : report(result.error());
}

int Session::report(const ApiError& error) {
  if (error.local) {
    return fail("", error.message, error.timed_out ? kExitTimedOut : kExitFailed);
  }
  if (json()) {
    console_.out(indent_json(api::error_json(error.code, error.message)) + "\n");
  } else {
    console_.out(
        fmt::format("An error occurred:\n  Code: {}\n  Message: {}\n", error.code, error.message));
  }
  return error.code == 0 ? kExitFailed : kExitAnsweredError;
}

int Session::fail(std::string_view doing, std::string_view what, int code) {
  console_.err(fmt::format("error {}: {}\n", doing, what));
  return code;
}

Task<int> Session::show_stream(std::string method, std::string path, TextFormat text) {
  const ApiResult<void> result =
      co_await api_.stream(std::move(method), std::move(path),
                           [this, text](std::string_view document) { show(document, text); });
  co_return finish(result);
}

}  // namespace ica::ctl
