#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/multiaddr.h"
#include "common/web/auth.h"
#include "common/web/cors.h"
#include "common/web/exchange.h"

namespace ica::web {

struct ApiOptions {
  std::string name;   // in log lines: "restapi"
  std::string title;  // for people: "REST API"
  std::vector<Multiaddr> listen;
  http::ServerOptions http;
  std::optional<Credentials> credentials;  // nothing: everybody may
  // Wrong ones that an address may show, see LoginLimit; 0: no limit.
  int login_failures_per_minute = 120;
  Cors cors;
  http::Headers headers;   // of every answer of a route
  std::string access_log;  // file; empty: the log, at debug level
};

// Lets `server` listen at a TCP or unix address; the port, 0 for a unix socket. Errors:
// InvalidArgument (another kind of address), Io (in use).
Result<uint16_t> listen_at(http::Server& server, const Multiaddr& address);

// Where a redirect to `path` (decoded) of a request goes: the path clean and escaped, with the
// request's query.
std::string clean_target(std::string_view path, const http::Request& request);

// The routes behind the layers that all our HTTP APIs have. Called on the server's threads.
class ApiRoutes {
 public:
  struct Route {
    std::string method;
    std::string pattern;  // web::Router's
  };
  virtual ~ApiRoutes() = default;
  // In the order that decides between 404 and 405.
  virtual std::vector<Route> routes() const = 0;
  // `route` is an index into routes().
  virtual Task<void> serve(size_t route, Exchange& exchange) = 0;
  // The API's error document with its newline, for what never reaches a route.
  virtual std::string error_body(int status, std::string_view message) const = 0;
  // GET / before it is redirected as a path with a slash at its end; true when it was answered.
  virtual Task<bool> serve_root(Exchange& exchange);
};

// Credentials, then cross-origin rules, then slashes, then routes: the reference's order, and each
// layer's headers go with the answers of those behind it only. Thread-safety: start, reload and
// stop from one thread; requests are served on `context`'s threads.
class ApiServer {
 public:
  // `routes` must outlive it.
  ApiServer(asio::io_context& context, ApiOptions options, ApiRoutes& routes);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Listens on every address. Errors: InvalidArgument (an address that is not TCP or unix), Io (in
  // use, certificate unreadable).
  Status start();
  // The ports listened on, in the order of the addresses; 0 for a unix socket.
  const std::vector<uint16_t>& ports() const;
  const Authenticator& auth() const;
  // New credentials, and the certificate files again, for requests from now on.
  Status reload(std::optional<Credentials> credentials);
  // Stops accepting, tells requests to end, waits for them at most `grace`.
  Task<void> stop(Duration grace);
  const http::ServerStats& stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::web
