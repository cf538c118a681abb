#pragma once

#include <memory>

#include "agent/cluster/cluster.h"
#include "agent/config/config.h"
#include "agent/pinsvc/pinsvc.h"
#include "agent/proxy/proxy.h"
#include "agent/rest/rest.h"
#include "agent/telemetry/sources.h"
#include "common/base/asio.h"

namespace ica::cmd {

// The three HTTP APIs, each when its section is in the settings. Thread-safety: one thread.
class HttpApis {
 public:
  // Everything must outlive it. Errors name the API, in the reference's words.
  Status start(asio::io_context& context, const config::Config& config, cluster::Cluster& cluster);
  // New credentials and certificates.
  Status reload(const config::Config& settings);
  // Stops accepting, ends requests, waits for them at most `grace`.
  Task<void> stop(Duration grace);
  void add_sources(telemetry::Sources& sources) const;

 private:
  std::unique_ptr<rest::RestApi> rest_;
  std::unique_ptr<pinsvc::PinningService> pinsvc_;
  std::unique_ptr<proxy::IpfsProxy> proxy_;
};

}  // namespace ica::cmd
