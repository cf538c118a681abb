#include "agent/rest/rest.h"

#include "agent/config/api_options.h"
#include "agent/rest/exchange.h"
#include "agent/rest/handlers.h"
#include "common/api/peer.h"

namespace ica::rest {
namespace {

constexpr std::string_view kComponent = "restapi";

}  // namespace

struct RestApi::Impl final : web::ApiRoutes {
  Impl(asio::io_context& context, const config::Config& config, cluster::Cluster& use_cases)
      : cluster(use_cases),
        dashboard(config.agent.dashboard),
        table(rest::routes()),
        server(context,
               config::api_options(config, config.rest_api, std::string(kComponent), "REST API"),
               *this) {}

  cluster::Cluster& cluster;
  const bool dashboard;
  const std::vector<rest::Route> table;
  web::ApiServer server;

  std::vector<ApiRoutes::Route> routes() const override {
    std::vector<ApiRoutes::Route> out;
    out.reserve(table.size());
    for (const rest::Route& route : table) {
      out.push_back({route.method, route.pattern});
    }
    return out;
  }

  Task<void> serve(size_t route, web::Exchange& plain) override {
    Exchange exchange{std::move(plain), cluster, server.auth(), 0, {}};
    co_await table[route].handler(exchange);
  }

  Task<bool> serve_root(web::Exchange& exchange) override {
    if (!dashboard) {
      co_return false;
    }
    co_return co_await show_dashboard(exchange);
  }

  std::string error_body(int status, std::string_view message) const override {
    return api::error_json(status, message) + "\n";
  }
};

RestApi::RestApi(asio::io_context& context, const config::Config& config, cluster::Cluster& cluster)
    : impl_(std::make_shared<Impl>(context, config, cluster)) {}

RestApi::~RestApi() = default;

Status RestApi::start() {
  return impl_->server.start();
}

const std::vector<uint16_t>& RestApi::ports() const {
  return impl_->server.ports();
}

Status RestApi::reload(const config::HttpApi& settings) {
  return impl_->server.reload(settings.basic_auth_credentials);
}

Task<void> RestApi::stop(Duration grace) {
  return impl_->server.stop(grace);
}

const http::ServerStats& RestApi::stats() const {
  return impl_->server.stats();
}

}  // namespace ica::rest
