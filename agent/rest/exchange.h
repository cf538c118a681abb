#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/cluster/cluster.h"
#include "common/web/auth.h"
#include "common/web/exchange.h"

namespace ica::rest {

// A request of the REST API, with what its handlers need. Thread-safety: the request's strand.
struct Exchange : web::Exchange {
  cluster::Cluster& cluster;
  const web::Authenticator& auth;

  // The reference answers a bad option at once and then goes on; what was said first is kept here
  // and leaves in front of the real answer, under its status.
  int early_status = 0;
  std::string early_body;

  // Only the exact text counts.
  bool local() const { return query.get("local") == "true"; }

  // `json` without its final newline.
  Task<void> send(int status, std::string json);
  Task<void> send_error(int status, std::string_view message);
  // With the status that the reference gives this kind of error.
  Task<void> send_error(const Error& error);
  // Says that an option is bad; the handler goes on.
  void bad_option(std::string_view message);
};

using Handler = std::function<Task<void>(Exchange&)>;

struct Route {
  std::string method;
  std::string pattern;
  Handler handler;
};

// In the order that decides between 404 and 405.
std::vector<Route> routes();

}  // namespace ica::rest
