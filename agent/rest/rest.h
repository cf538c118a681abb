#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/config/config.h"
#include "common/base/asio.h"
#include "common/http/server.h"

namespace ica::rest {

// The REST API on 9094, route for route and answer for answer that of the reference.
// Thread-safety: start, reload and stop from one thread; requests are served on `context`'s
// threads.
class RestApi {
 public:
  // Settings are those of api.restapi; files are found relative to `config.folder`.
  // `config` and `cluster` must outlive it.
  RestApi(asio::io_context& context, const config::Config& config, cluster::Cluster& cluster);
  ~RestApi();
  RestApi(const RestApi&) = delete;
  RestApi& operator=(const RestApi&) = delete;

  // Listens on every configured address. Errors: InvalidArgument (an address that is not TCP or
  // unix), Io (in use, certificate unreadable).
  Status start();
  // The ports listened on, in the order of the settings; 0 for a unix socket.
  const std::vector<uint16_t>& ports() const;
  // New credentials and certificate files, for requests from now on.
  Status reload(const config::HttpApi& settings);
  // Stops accepting, tells requests to end, waits for them at most `grace`.
  Task<void> stop(Duration grace);
  const http::ServerStats& stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::rest
