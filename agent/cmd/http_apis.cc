#include "agent/cmd/http_apis.h"

#include "common/base/offload.h"

namespace ica::cmd {
namespace {

Task<Status> ended(Task<void> task) {
  co_await std::move(task);
  co_return Status();
}

}  // namespace

Status HttpApis::start(asio::io_context& context, const config::Config& config,
                       cluster::Cluster& cluster) {
  if (config.rest_api.enabled) {
    rest_ = std::make_unique<rest::RestApi>(context, config, cluster);
    TRY_VOID(rest_->start().context("creating REST API component"));
  }
  if (config.pinsvc_api.enabled) {
    pinsvc_ = std::make_unique<pinsvc::PinningService>(context, config, cluster);
    TRY_VOID(pinsvc_->start().context("creating Pinning Service API component"));
  }
  if (config.ipfs_proxy.enabled) {
    proxy_ = std::make_unique<proxy::IpfsProxy>(context, config, cluster);
    TRY_VOID(proxy_->start().context("creating IPFS Proxy component"));
  }
  return {};
}

Status HttpApis::reload(const config::Config& settings) {
  if (rest_) {
    TRY_VOID(rest_->reload(settings.rest_api));
  }
  return pinsvc_ ? pinsvc_->reload(settings.pinsvc_api) : Status();
}

Task<void> HttpApis::stop(Duration grace) {
  std::vector<Task<Status>> tasks;
  if (rest_) {
    tasks.push_back(ended(rest_->stop(grace)));
  }
  if (pinsvc_) {
    tasks.push_back(ended(pinsvc_->stop(grace)));
  }
  if (proxy_) {
    tasks.push_back(ended(proxy_->stop(grace)));
  }
  const std::vector<Status> done = co_await gather(std::move(tasks));
  (void)done;
}

void HttpApis::add_sources(telemetry::Sources& sources) const {
  if (rest_) {
    sources.apis.emplace_back("rest", &rest_->stats());
  }
  if (pinsvc_) {
    sources.apis.emplace_back("pinsvc", &pinsvc_->stats());
  }
  if (proxy_) {
    sources.apis.emplace_back("ipfsproxy", &proxy_->stats());
  }
}

}  // namespace ica::cmd
