#include "agent/proxy/proxy.h"

#include "agent/proxy/calls.h"
#include "agent/proxy/handlers.h"
#include "common/base/log.h"
#include "common/codec/url_escape.h"
#include "common/web/access_log.h"
#include "common/web/api_server.h"
#include "common/web/watched_response.h"

namespace ica::proxy {
namespace {

constexpr std::string_view kComponent = "ipfsproxy";
// Browsers' headers, cookies and all, are longer than the setting's default.
constexpr size_t kHeaderTolerance = 4096;

Task<void> nothing() {
  co_return;
}

}  // namespace

struct IpfsProxy::Impl {
  Impl(asio::io_context& c, const config::Config& all, cluster::Cluster& use_cases)
      : context(c), config(all), cluster(use_cases) {}

  asio::io_context& context;
  const config::Config& config;
  cluster::Cluster& cluster;
  web::AccessLog access_log{"ipfsproxylog"};
  std::unique_ptr<Kubo> kubo;
  std::unique_ptr<http::Server> server;
  std::vector<uint16_t> ports;
  LogLimiter limiter;

  Task<void> serve(http::Request& request, http::ResponseWriter& response) {
    if (!access_log.wanted()) {
      co_await answer(request, response);
      co_return;
    }
    web::WatchedResponse watched(response);
    co_await answer(request, watched);
    access_log.write(request, watched.status(), watched.bytes());
  }

  Task<void> answer(http::Request& request, http::ResponseWriter& response) {
    const auto path = path_unescape(request.path);
    if (path && http::clean_path(*path) != *path) {
      http::Headers headers;
      headers.emplace_back("Location", web::clean_target(*path, request));
      const Status sent = co_await response.send(301, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    Route route = path ? route_of(request.method, *path) : Route();
    http::Query query(request.query);
    const bool puts = route.call == Call::BlockPut || route.call == Call::DagPut;
    if (route.call == Call::Other || (puts && query.get("pin") != "true")) {
      co_await kubo->forward(request, response);
      co_return;
    }
    std::vector<std::string> args;
    if (!route.arg.empty()) {
      if (limiter.allow("slash")) {
        log_warn(kComponent,
                 "a client uses an undocumented form of the IPFS API: arguments belong into the "
                 "query, ?arg=");
      }
      args.push_back(std::move(route.arg));
    } else {
      for (const std::string_view arg : query.all("arg")) {
        args.emplace_back(arg);
      }
    }
    http::Headers headers = co_await kubo->own_headers(request);
    Hijacked call{{request, response, std::move(query), {}, std::move(headers)},
                  cluster,
                  *kubo,
                  std::move(args)};
    co_await run(route.call, call);
  }

  static Task<void> run(Call which, Hijacked& call) {
    switch (which) {
      case Call::PinAdd:
        return pin_add(call);
      case Call::PinRm:
        return pin_rm(call);
      case Call::PinLs:
        return pin_ls(call);
      case Call::PinUpdate:
        return pin_update(call);
      case Call::Add:
        return add(call);
      case Call::RepoStat:
        return repo_stat(call);
      case Call::RepoGc:
        return repo_gc(call);
      case Call::BlockPut:
        return block_put(call);
      case Call::DagPut:
        return dag_put(call);
      case Call::Other:
        break;
    }
    return nothing();
  }

  Status listen(const Multiaddr& address) {
    TRY(const uint16_t port, web::listen_at(*server, address));
    ports.push_back(port);
    log_info(kComponent, "IPFS Proxy: {} -> {}", address, config.ipfs_proxy.node_multiaddress);
    return {};
  }
};

IpfsProxy::IpfsProxy(asio::io_context& context, const config::Config& config,
                     cluster::Cluster& cluster)
    : impl_(std::make_unique<Impl>(context, config, cluster)) {}

IpfsProxy::~IpfsProxy() = default;

Status IpfsProxy::start() {
  const config::IpfsProxy& settings = impl_->config.ipfs_proxy;
  TRY(impl_->kubo, Kubo::create(settings));
  if (!settings.log_file.empty()) {
    TRY_VOID(impl_->access_log.open(impl_->config.resolve(settings.log_file).string()));
  }
  http::ServerOptions options;
  options.name = kComponent;
  options.max_header_bytes = static_cast<size_t>(settings.max_header_bytes) + kHeaderTolerance;
  options.max_connections = static_cast<size_t>(impl_->config.agent.max_api_connections);
  options.read_header_timeout = settings.read_header_timeout;
  options.read_timeout = settings.read_timeout;
  options.write_timeout = settings.write_timeout;
  options.idle_timeout = settings.idle_timeout;
  // The server lives in what it calls, and stops before it ends.
  Impl* const impl = impl_.get();
  impl_->server = std::make_unique<http::Server>(
      impl_->context, std::move(options),
      [impl](http::Request& request, http::ResponseWriter& response) {
        return impl->serve(request, response);
      });
  for (const Multiaddr& address : settings.listen_multiaddress) {
    TRY_VOID(impl_->listen(address).context("IPFS proxy at {}", address));
  }
  return {};
}

const std::vector<uint16_t>& IpfsProxy::ports() const {
  return impl_->ports;
}

Task<void> IpfsProxy::stop(Duration grace) {
  if (impl_->server) {
    return impl_->server->shutdown(grace);
  }
  return nothing();
}

const http::ServerStats& IpfsProxy::stats() const {
  return impl_->server->stats();
}

}  // namespace ica::proxy
