#pragma once

#include <memory>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/config/config.h"
#include "common/base/asio.h"
#include "common/http/server.h"

namespace ica::pinsvc {

// The Pinning Services API 1.0 on 9097, answer for answer that of the reference; where lists are
// concerned that of the specification, because the reference's have no order to page by.
// A request ID is the pin's CID. Thread-safety: start, reload and stop from one thread; requests
// are served on `context`'s threads.
class PinningService {
 public:
  // Settings are those of api.pinsvcapi. `config` and `cluster` must outlive it.
  PinningService(asio::io_context& context, const config::Config& config,
                 cluster::Cluster& cluster);
  ~PinningService();
  PinningService(const PinningService&) = delete;
  PinningService& operator=(const PinningService&) = delete;

  // Errors and the meaning of the ports: those of web::ApiServer.
  Status start();
  const std::vector<uint16_t>& ports() const;
  Status reload(const config::HttpApi& settings);
  Task<void> stop(Duration grace);
  const http::ServerStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ica::pinsvc
