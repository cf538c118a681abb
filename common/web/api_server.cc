#include "common/web/api_server.h"

#include "common/base/log.h"
#include "common/base/trace.h"
#include "common/codec/url_escape.h"
#include "common/http/headers.h"
#include "common/web/access_log.h"
#include "common/web/login_limit.h"
#include "common/web/traced.h"
#include "common/web/watched_response.h"

namespace ica::web {
namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

Task<void> nothing() {
  co_return;
}

}  // namespace

std::string clean_target(std::string_view path, const http::Request& request) {
  std::string target = escape_path(http::clean_path(path));
  // Also a lone question mark stays.
  if (request.target.find('?') != std::string::npos) {
    target += "?" + request.query;
  }
  return target;
}

Result<uint16_t> listen_at(http::Server& server, const Multiaddr& address) {
  TRY(auto target, dial_target(address));
  if (target.kind == DialTarget::Kind::Unix) {
    TRY_VOID(server.listen_unix(target.host));
    return uint16_t{0};
  }
  return server.listen(target.host, target.port);
}

Task<bool> ApiRoutes::serve_root(Exchange& exchange) {
  (void)exchange;
  co_return false;
}

struct ApiServer::Impl {
  Impl(asio::io_context& c, ApiOptions o, ApiRoutes& r)
      : context(c),
        options(std::move(o)),
        auth(options.credentials),
        login_limit(options.login_failures_per_minute),
        routes(r) {
    for (const ApiRoutes::Route& route : routes.routes()) {
      router.add(route.method, route.pattern);
      patterns.emplace_back(route.pattern);
    }
  }

  asio::io_context& context;
  const ApiOptions options;
  Authenticator auth;
  LoginLimit login_limit;
  ApiRoutes& routes;
  Router router;
  std::vector<std::string> patterns;  // by route
  AccessLog access_log{options.name + "log"};
  std::unique_ptr<http::Server> server;
  std::vector<uint16_t> ports;

  Task<void> serve(http::Request& request, http::ResponseWriter& response) {
    if (!trace::enabled()) {
      return logged(request, response);
    }
    const auto path = path_unescape(request.path).value_or("");
    const auto match = router.match(request.method, path);
    const bool found = match.outcome == Router::Outcome::Found;
    return serve_traced([this](http::Request& q, http::ResponseWriter& r) { return logged(q, r); },
                        found ? patterns[match.route] : "", request, response);
  }

  Task<void> logged(http::Request& request, http::ResponseWriter& response) {
    if (!access_log.wanted()) {
      co_await answer(request, response);
      co_return;
    }
    WatchedResponse watched(response);
    co_await answer(request, watched);
    access_log.write(request, watched.status(), watched.bytes());
  }

  Task<void> answer(http::Request& request, http::ResponseWriter& response) {
    if (request.method == "OPTIONS" && request.target == "*") {
      // Asks for nothing but a sign of life of the server as a whole.
      const Status sent = co_await response.send(200, {}, Bytes());
      (void)sent;
      co_return;
    }
    const bool open =
        request.method == "OPTIONS" || (request.method == "GET" && request.path == "/health");
    if (!open && auth.required()) {
      const bool allowed = co_await admit(request, response);
      if (!allowed) {
        co_return;
      }
    }
    if (Cors::is_preflight(request)) {
      const Status sent =
          co_await response.send(204, options.cors.preflight_headers(request), Bytes());
      (void)sent;
      co_return;
    }
    http::Headers headers = options.cors.response_headers(request);
    auto path = path_unescape(request.path);
    if (!path) {
      http::Headers plain;
      plain.emplace_back("Content-Type", "text/plain; charset=utf-8");
      response.close_after();
      const Status sent = co_await response.send(400, std::move(plain), "400 Bad Request");
      (void)sent;
      co_return;
    }
    if (path->ends_with('/')) {
      co_await redirect_slash(request, response, std::move(headers), std::move(*path));
      co_return;
    }
    if (http::clean_path(*path) != *path) {
      headers.emplace_back("Location", clean_target(*path, request));
      const Status sent = co_await response.send(301, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    co_await route(request, response, std::move(headers), std::move(*path));
  }

  // False when the request was answered with a refusal. Requests that show nothing are refused but
  // not counted: browsers begin like that, and nothing is guessed by them.
  Task<bool> admit(http::Request& request, http::ResponseWriter& response) {
    const auto authorization = request.header("Authorization");
    const auto now = LoginLimit::Moment::clock::now();
    if (!authorization.empty()) {
      if (const auto seconds = login_limit.wait(request.remote, now)) {
        co_await refuse_login(response, *seconds);
        co_return false;
      }
    }
    auto denied = auth.check(authorization, Time::now());
    if (!denied) {
      co_return true;
    }
    if (!authorization.empty()) {
      login_limit.failed(request.remote, now);
    }
    co_await refuse(response, std::move(*denied));
    co_return false;
  }

  Task<void> refuse_login(http::ResponseWriter& response, int seconds) {
    http::Headers headers;
    headers.emplace_back("Content-Type", "application/json");
    headers.emplace_back("Retry-After", std::to_string(seconds));
    headers.insert(headers.end(), options.headers.begin(), options.headers.end());
    std::string body = routes.error_body(
        429, "too many wrong credentials from this address (login_failures_per_minute), wait " +
                 std::to_string(seconds) + "s");
    const Status sent = co_await response.send(429, std::move(headers), std::move(body));
    (void)sent;
  }

  Task<void> refuse(http::ResponseWriter& response, Authenticator::Denied denied) {
    http::Headers headers;
    headers.emplace_back("Content-Type", "application/json");
    for (std::string& challenge : denied.challenges) {
      headers.emplace_back("Www-Authenticate", std::move(challenge));
    }
    headers.insert(headers.end(), options.headers.begin(), options.headers.end());
    std::string body = routes.error_body(401, denied.message);
    const Status sent = co_await response.send(401, std::move(headers), std::move(body));
    (void)sent;
  }

  Exchange make_exchange(http::Request& request, http::ResponseWriter& response,
                         http::Headers headers, PathVars vars) const {
    headers.insert(headers.end(), options.headers.begin(), options.headers.end());
    return {request, response, http::Query(request.query), std::move(vars), std::move(headers)};
  }

  Task<void> redirect_slash(http::Request& request, http::ResponseWriter& response,
                            http::Headers headers, std::string path) {
    if (path == "/" && request.method == "GET") {
      Exchange exchange = make_exchange(request, response, headers, {});
      const bool answered = co_await routes.serve_root(exchange);
      if (answered) {
        co_return;
      }
    }
    path.pop_back();
    const std::string target = clean_target(path, request);
    headers.emplace_back("Location", target);
    std::string body;
    if (request.method == "GET" || request.method == "HEAD") {
      headers.emplace_back("Content-Type", "text/html; charset=utf-8");
    }
    if (request.method == "GET") {
      body = "<a href=\"" + escape_html(target) + "\">Temporary Redirect</a>.\n\n";
    }
    const Status sent = co_await response.send(307, std::move(headers), std::move(body));
    (void)sent;
  }

  Task<void> route(http::Request& request, http::ResponseWriter& response, http::Headers headers,
                   std::string path) {
    Router::Match match = router.match(request.method, path);
    if (match.outcome == Router::Outcome::MethodNotAllowed) {
      const Status sent = co_await response.send(405, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    Exchange exchange = make_exchange(request, response, std::move(headers), std::move(match.vars));
    if (match.outcome == Router::Outcome::NotFound) {
      co_await exchange.send_text(404, routes.error_body(404, "not found"));
      co_return;
    }
    co_await routes.serve(match.route, exchange);
  }

  Status listen(const Multiaddr& address) {
    TRY(const uint16_t port, listen_at(*server, address));
    ports.push_back(port);
    log_info(options.name, "{} (HTTP): {}", options.title, address);
    return {};
  }
};

ApiServer::ApiServer(asio::io_context& context, ApiOptions options, ApiRoutes& routes)
    : impl_(std::make_shared<Impl>(context, std::move(options), routes)) {}

ApiServer::~ApiServer() = default;

Status ApiServer::start() {
  const ApiOptions& options = impl_->options;
  if (!options.access_log.empty()) {
    TRY_VOID(impl_->access_log.open(options.access_log));
  }
  // The server lives in what it calls, and stops before it ends.
  Impl* const impl = impl_.get();
  impl_->server = std::make_unique<http::Server>(
      impl_->context, options.http, [impl](http::Request& request, http::ResponseWriter& response) {
        return impl->serve(request, response);
      });
  for (const Multiaddr& address : options.listen) {
    TRY_VOID(impl_->listen(address).context("{} at {}", options.title, address));
  }
  return {};
}

const std::vector<uint16_t>& ApiServer::ports() const {
  return impl_->ports;
}

const Authenticator& ApiServer::auth() const {
  return impl_->auth;
}

Status ApiServer::reload(std::optional<Credentials> credentials) {
  impl_->auth.reload(std::move(credentials));
  if (impl_->options.http.tls && impl_->server) {
    return impl_->server->reload_tls();
  }
  return {};
}

Task<void> ApiServer::stop(Duration grace) {
  if (impl_->server) {
    return impl_->server->shutdown(grace);
  }
  return nothing();
}

const http::ServerStats& ApiServer::stats() const {
  return impl_->server->stats();
}

}  // namespace ica::web
