#pragma once

#include <string>
#include <string_view>

#include "common/http/server.h"
#include "common/http/url.h"
#include "common/web/router.h"

namespace ica::web {

// One request on its way through its route, and the ways to answer it. Lives as long as the
// request. Thread-safety: the request's strand.
struct Exchange {
  http::Request& request;
  http::ResponseWriter& response;
  http::Query query;
  PathVars vars;
  http::Headers headers;  // of every answer: cross-origin, configured ones, Vary

  StopToken stop() const { return request.stop; }
  // A variable of the route; empty when it has none of this name.
  std::string_view var(std::string_view name) const;
  // Headers of this answer, Content-Type first.
  http::Headers answer_headers() const;
  // A whole answer as it is. Long ones are chunked, as Go's server does.
  Task<void> send_text(int status, std::string text);
  Task<void> send_empty(int status);  // 204 and the like
};

// The body of a small request; nothing when it is longer than `at_most` or does not arrive.
Task<std::optional<Bytes>> small_body(http::BodyReader* body, size_t at_most);

// A header value cannot hold line ends.
std::string header_text(std::string_view text);

}  // namespace ica::web
