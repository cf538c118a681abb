#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "common/base/log.h"
#include "common/http/client.h"
#include "common/http/server.h"

namespace ica::proxy {

// The Kubo behind the proxy. Thread-safety: any thread.
class Kubo {
 public:
  // Errors: InvalidArgument for an address that HTTP cannot go to.
  static Result<std::unique_ptr<Kubo>> create(const config::IpfsProxy& settings);

  // Passes a request on as it is and its answer back, both as they come: neither body is held
  // longer than the slower side needs. Hop-by-hop headers stay behind, as with any proxy. 502 with
  // an empty body when Kubo cannot be reached.
  Task<void> forward(http::Request& request, http::ResponseWriter& response);

  // The same request, with another query, whose answer `take` reads while the request's body still
  // flows. Fails when it cannot be sent; else returns what `take` returned.
  using Take = std::function<Task<Status>(http::ClientStream&)>;
  Task<Status> send(http::Request& request, std::string query, Take take);

  // Headers for an answer that the proxy gives itself: what Kubo says about this origin, and
  // the headers learnt from it. Without Kubo those that are known.
  Task<http::Headers> own_headers(const http::Request& request);

 private:
  struct Learnt {
    http::Headers headers;
    std::chrono::steady_clock::time_point at;
  };

  Kubo(const config::IpfsProxy& settings, std::string base, std::string unix_socket);
  http::ClientRequest request_for(const http::Request& request, std::string_view query) const;
  bool fresh(const Learnt& learnt) const;
  std::optional<http::Headers> remembered(const std::string& key, bool even_old);
  void remember(const std::string& key, http::Headers headers);
  Task<http::Headers> learn(std::string key, http::ClientRequest question,
                            std::vector<std::string> names);

  const std::string base_;
  const std::string learn_path_;
  const Duration ttl_;
  std::vector<std::string> learnt_names_;
  http::Client client_;
  LogLimiter limiter_;
  std::mutex mutex_;
  std::map<std::string, Learnt> learnt_;  // by method and origin, and one for all
};

}  // namespace ica::proxy
