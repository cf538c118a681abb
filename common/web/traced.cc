#include "common/web/traced.h"

#include "common/base/trace.h"
#include "common/web/watched_response.h"

namespace ica::web {

Task<void> serve_traced(http::Handler handler, std::string route, http::Request& request,
                        http::ResponseWriter& response) {
  if (!trace::enabled()) {
    co_await handler(request, response);
    co_return;
  }
  trace::Span span(
      route.empty() ? request.method : request.method + " " + route, trace::Kind::Server,
      trace::parse_headers(request.header("traceparent"), request.header("tracestate")));
  span.set("http.request.method", request.method);
  span.set("url.path", request.path);
  if (!route.empty()) {
    span.set("http.route", route);
  }
  if (const auto agent = request.header("User-Agent"); !agent.empty()) {
    span.set("user_agent.original", std::string(agent));
  }
  WatchedResponse watched(response);
  const Executor here = co_await asio::this_coro::executor;
  co_await asio::co_spawn(trace::with(here, span.context()), handler(request, watched),
                          asio::use_awaitable);
  span.set("http.response.status_code", static_cast<int64_t>(watched.status()));
  if (watched.status() == 0 || watched.status() >= 500) {
    span.fail(watched.status() == 0 ? "no answer" : "");
  }
}

}  // namespace ica::web
