#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/cluster/cluster.h"
#include "common/http/server.h"
#include "common/http/url.h"
#include "common/web/auth.h"
#include "common/web/router.h"

namespace ica::rest {

// One request on its way through its route, and the ways to answer it. Lives as long as the
// request. Thread-safety: the request's strand.
struct Exchange {
  http::Request& request;
  http::ResponseWriter& response;
  cluster::Cluster& cluster;
  const web::Authenticator& auth;
  http::Query query;
  web::PathVars vars;
  http::Headers headers;  // of every answer: cross-origin, configured ones, Vary

  // The reference answers a bad option at once and then goes on; what was said first is kept here
  // and leaves in front of the real answer, under its status.
  int early_status = 0;
  std::string early_body;

  StopToken stop() const { return request.stop; }
  std::string_view var(std::string_view name) const;
  // Only the exact text counts.
  bool local() const { return query.get("local") == "true"; }

  // `json` without its final newline. Long answers are chunked, as Go's server does.
  Task<void> send(int status, std::string json);
  Task<void> send_empty(int status);  // 204 and the like
  Task<void> send_error(int status, std::string_view message);
  // With the status that the reference gives this kind of error.
  Task<void> send_error(const Error& error);
  // Says that an option is bad; the handler goes on.
  void bad_option(std::string_view message);
  // Headers of this answer, Content-Type first.
  http::Headers answer_headers() const;
};

int status_of(const Error& error);

// A header value cannot hold line ends.
std::string header_text(std::string_view text);

using Handler = std::function<Task<void>(Exchange&)>;

struct Route {
  std::string method;
  std::string pattern;
  Handler handler;
};

// In the order that decides between 404 and 405.
std::vector<Route> routes();

}  // namespace ica::rest
