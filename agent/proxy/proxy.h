#pragma once

#include <memory>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/config/config.h"
#include "common/base/asio.h"
#include "common/http/server.h"

namespace ica::proxy {

// Kubo's RPC API on 9095 where pinning, adding and the repository mean the whole cluster, answer
// for answer as the reference's; everything else goes to the Kubo behind it untouched. Kubo's API
// has no credentials, and neither has this. Thread-safety: start and stop from one thread; requests
// are served on `context`'s threads.
class IpfsProxy {
 public:
  // Settings are those of api.ipfsproxy. `config` and `cluster` must outlive it.
  IpfsProxy(asio::io_context& context, const config::Config& config, cluster::Cluster& cluster);
  ~IpfsProxy();
  IpfsProxy(const IpfsProxy&) = delete;
  IpfsProxy& operator=(const IpfsProxy&) = delete;

  // Errors: InvalidArgument (an address that is neither TCP nor unix), Io (in use).
  Status start();
  // The ports listened on, in the order of the settings; 0 for a unix socket.
  const std::vector<uint16_t>& ports() const;
  // Stops accepting, tells requests to end, waits for them at most `grace`.
  Task<void> stop(Duration grace);
  const http::ServerStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ica::proxy
