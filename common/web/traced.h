#pragma once

#include <string>

#include "common/http/server.h"

namespace ica::web {

// Serves one request within a span, a child of the one that the request's traceparent names:
// everything that `handler` does runs under it (trace::current()). `route` is the pattern that the
// request matched, empty when it matched none. Costs nothing but a call while no traces are
// recorded. The references must live until it returns.
Task<void> serve_traced(http::Handler handler, std::string route, http::Request& request,
                        http::ResponseWriter& response);

}  // namespace ica::web
