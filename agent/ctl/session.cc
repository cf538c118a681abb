#include "agent/ctl/session.h"

#include <fmt/format.h>

#include "agent/ctl/json_scanner.h"
#include "agent/ctl/style.h"
#include "common/api/peer.h"

namespace ica::ctl {

namespace {

// What to try after an error; empty when there is nothing to say.
std::string_view next_step(const ApiError& error) {
  const auto has = [&error](std::string_view words) {
    return error.message.find(words) != std::string::npos;
  };
  if (error.code == 401) {
    return "Give the credentials with --basic-auth user:password, or in CLUSTER_CREDENTIALS.";
  }
  if (error.code == 403) {
    return "These credentials may not do this; see basic_auth_credentials in service.json.";
  }
  if (error.code == 404 && has("page not found")) {
    return "Something else answers at this address: the cluster's REST API is usually on port "
           "9094.";
  }
  if (error.code == 429) {
    return "The peer is busy; try again in a moment.";
  }
  if (error.code != 0) {
    return "";
  }
  if (has("connection refused")) {
    return "Is the peer running? Its REST API must listen at the address given by --host.";
  }
  if (has("no such host")) {
    return "The name does not resolve; check --host, or use /ip4/<address>/tcp/9094.";
  }
  if (has("server gave HTTP response to HTTPS client")) {
    return "The peer speaks plain HTTP: leave out --https, or add --force-http to --basic-auth.";
  }
  if (has("failed to verify certificate")) {
    return "For a self-signed certificate add --no-check-certificate.";
  }
  if (has("timeout") || has("Timeout") || has("deadline exceeded")) {
    return "The peer did not answer in time; raise --timeout, or look at the peer's log.";
  }
  return "";
}

}  // namespace

void Session::show(std::string_view document, TextFormat text) {
  if (json()) {
    console_.out(indent_json(document) + "\n");
  } else {
    console_.out(console_.colours() ? colour_statuses(text(document)) : text(document));
  }
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
  // For people only: what scripts read stays as the reference prints it.
  if (const std::string_view hint = next_step(error); !hint.empty() && console_.err_is_terminal()) {
    console_.err(fmt::format("{}\n", hint));
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
