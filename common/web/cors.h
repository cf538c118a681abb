#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/http/server.h"

namespace ica::web {

// Cross-origin rules as rs/cors applies them. Thread-safety: const, any thread.
struct Cors {
  std::vector<std::string> origins;  // "*", or with one "*" inside; empty: all
  std::vector<std::string> methods;
  std::vector<std::string> headers;  // empty: Accept, Content-Type, X-Requested-With; "*": all
  std::vector<std::string> exposed;
  bool credentials = true;
  Duration max_age{};

  // OPTIONS with Access-Control-Request-Method: answered with 204 and preflight_headers().
  static bool is_preflight(const http::Request& request);
  http::Headers preflight_headers(const http::Request& request) const;
  // For every other answer.
  http::Headers response_headers(const http::Request& request) const;

 private:
  bool allows_origin(std::string_view origin) const;
  bool allows_all_origins() const;
  bool allows_method(std::string_view method) const;
  bool allows_headers(std::string_view requested) const;
};

}  // namespace ica::web
