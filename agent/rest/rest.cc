#include "agent/rest/rest.h"

#include "agent/rest/access_log.h"
#include "agent/rest/exchange.h"
#include "common/api/peer.h"
#include "common/base/log.h"
#include "common/base/trace.h"
#include "common/http/headers.h"
#include "common/web/cors.h"
#include "common/web/traced.h"
#include "common/web/watched_response.h"

namespace ica::rest {
namespace {

constexpr std::string_view kComponent = "restapi";

web::Cors cors_of(const config::HttpApi& settings) {
  web::Cors cors;
  cors.origins = settings.cors_allowed_origins;
  cors.methods = settings.cors_allowed_methods;
  cors.headers = settings.cors_allowed_headers;
  cors.exposed = settings.cors_exposed_headers;
  cors.credentials = settings.cors_allow_credentials;
  cors.max_age = settings.cors_max_age;
  return cors;
}

http::Headers configured_headers(const config::HttpApi& settings) {
  http::Headers out;
  for (const auto& [name, values] : settings.headers) {
    for (const std::string& value : values) {
      out.emplace_back(http::canonical_header(name), value);
    }
  }
  return out;
}

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

std::string with_query(std::string path, const http::Request& request) {
  if (!request.query.empty()) {
    path += "?" + request.query;
  }
  return path;
}

}  // namespace

struct RestApi::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& c, const config::Config& all, cluster::Cluster& use_cases)
      : context(c),
        config(all),
        cluster(use_cases),
        auth(all.rest_api.basic_auth_credentials),
        cors(cors_of(all.rest_api)),
        extra(configured_headers(all.rest_api)),
        table(routes()) {
    for (const Route& route : table) {
      router.add(route.method, route.pattern);
    }
  }

  asio::io_context& context;
  const config::Config& config;
  cluster::Cluster& cluster;
  web::Authenticator auth;
  const web::Cors cors;
  const http::Headers extra;
  const std::vector<Route> table;
  web::Router router;
  AccessLog access_log;
  std::unique_ptr<http::Server> server;
  std::vector<uint16_t> ports;

  Task<void> serve(http::Request& request, http::ResponseWriter& response) {
    if (!trace::enabled()) {
      return logged(request, response);
    }
    const auto path = http::path_unescape(request.path).value_or("");
    const auto match = router.match(request.method, path);
    const bool found = match.outcome == web::Router::Outcome::Found;
    return web::serve_traced(
        [this](http::Request& q, http::ResponseWriter& r) { return logged(q, r); },
        found ? std::string(table[match.route].pattern) : "", request, response);
  }

  Task<void> logged(http::Request& request, http::ResponseWriter& response) {
    if (!access_log.wanted()) {
      co_await answer(request, response);
      co_return;
    }
    web::WatchedResponse watched(response);
    co_await answer(request, watched);
    access_log.write(request, watched.status(), watched.bytes());
  }

  // Credentials, then cross-origin rules, then slashes, then routes: the reference's order, and
  // each layer's headers go with the answers of those behind it only.
  Task<void> answer(http::Request& request, http::ResponseWriter& response) {
    const bool open =
        request.method == "OPTIONS" || (request.method == "GET" && request.path == "/health");
    if (!open) {
      auto denied = auth.check(request.header("Authorization"), Time::now());
      if (denied) {
        co_await refuse(response, std::move(*denied));
        co_return;
      }
    }
    if (web::Cors::is_preflight(request)) {
      const Status sent = co_await response.send(204, cors.preflight_headers(request), Bytes());
      (void)sent;
      co_return;
    }
    http::Headers headers = cors.response_headers(request);
    auto path = http::path_unescape(request.path);
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
    if (std::string clean = http::clean_path(*path); clean != *path) {
      headers.emplace_back("Location", with_query(http::escape_path(clean), request));
      const Status sent = co_await response.send(301, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    co_await route(request, response, std::move(headers), std::move(*path));
  }

  Task<void> refuse(http::ResponseWriter& response, web::Authenticator::Denied denied) {
    http::Headers headers;
    headers.emplace_back("Content-Type", "application/json");
    for (std::string& challenge : denied.challenges) {
      headers.emplace_back("Www-Authenticate", std::move(challenge));
    }
    headers.insert(headers.end(), extra.begin(), extra.end());
    std::string body = api::error_json(401, denied.message) + "\n";
    const Status sent = co_await response.send(401, std::move(headers), std::move(body));
    (void)sent;
  }

  Task<void> redirect_slash(http::Request& request, http::ResponseWriter& response,
                            http::Headers headers, std::string path) {
    path.pop_back();
    const std::string target = with_query(path.empty() ? "/" : http::escape_path(path), request);
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
    web::Router::Match match = router.match(request.method, path);
    if (match.outcome == web::Router::Outcome::MethodNotAllowed) {
      const Status sent = co_await response.send(405, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    headers.insert(headers.end(), extra.begin(), extra.end());
    Exchange exchange{request,
                      response,
                      cluster,
                      auth,
                      http::Query(request.query),
                      std::move(match.vars),
                      std::move(headers),
                      0,
                      {}};
    if (match.outcome == web::Router::Outcome::NotFound) {
      co_await exchange.send_error(404, "not found");
      co_return;
    }
    co_await table[match.route].handler(exchange);
  }

  Status listen(const Multiaddr& address) {
    TRY(auto target, dial_target(address));
    if (target.kind == DialTarget::Kind::Unix) {
      TRY_VOID(server->listen_unix(target.host));
      ports.push_back(0);
    } else {
      TRY(const uint16_t port, server->listen(target.host, target.port));
      ports.push_back(port);
    }
    log_info(kComponent, "REST API (HTTP): {}", address);
    return {};
  }
};

RestApi::RestApi(asio::io_context& context, const config::Config& config, cluster::Cluster& cluster)
    : impl_(std::make_shared<Impl>(context, config, cluster)) {}

RestApi::~RestApi() = default;

Status RestApi::start() {
  const config::HttpApi& settings = impl_->config.rest_api;
  if (!settings.libp2p_listen_multiaddress.empty() || !settings.id.empty()) {
    log_warn(kComponent,
             "libp2p_listen_multiaddress is set, but this agent does not offer the REST API over "
             "libp2p; it is served over HTTP only");
  }
  if (!settings.http_log_file.empty()) {
    TRY_VOID(impl_->access_log.open(impl_->config.resolve(settings.http_log_file).string()));
  }
  http::ServerOptions options;
  options.name = kComponent;
  options.max_header_bytes = static_cast<size_t>(settings.max_header_bytes) + 4096;
  options.max_connections = static_cast<size_t>(impl_->config.agent.max_api_connections);
  options.read_header_timeout = settings.read_header_timeout;
  options.read_timeout = settings.read_timeout;
  options.write_timeout = settings.write_timeout;
  options.idle_timeout = settings.idle_timeout;
  if (!settings.ssl_cert_file.empty() && !settings.ssl_key_file.empty()) {
    options.tls = http::TlsOptions{impl_->config.resolve(settings.ssl_cert_file).string(),
                                   impl_->config.resolve(settings.ssl_key_file).string()};
  }
  // The server lives in what it calls, and stops before it ends.
  Impl* const impl = impl_.get();
  impl_->server = std::make_unique<http::Server>(
      impl_->context, std::move(options),
      [impl](http::Request& request, http::ResponseWriter& response) {
        return impl->serve(request, response);
      });
  for (const Multiaddr& address : settings.http_listen_multiaddress) {
    TRY_VOID(impl_->listen(address).context("REST API at {}", address));
  }
  return {};
}

const std::vector<uint16_t>& RestApi::ports() const {
  return impl_->ports;
}

Status RestApi::reload(const config::HttpApi& settings) {
  impl_->auth.reload(settings.basic_auth_credentials);
  if (!settings.ssl_cert_file.empty() && impl_->server) {
    return impl_->server->reload_tls();
  }
  return {};
}

Task<void> RestApi::stop(Duration grace) {
  if (impl_->server) {
    return impl_->server->shutdown(grace);
  }
  return nothing();
}

const http::ServerStats& RestApi::stats() const {
  return impl_->server->stats();
}

}  // namespace ica::rest
