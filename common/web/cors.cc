#include "common/web/cors.h"

#include <algorithm>

#include "common/base/ascii.h"
#include "common/http/headers.h"

namespace ica::web {
namespace {

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    if (!out.empty()) {
      out += ", ";
    }
    out += http::canonical_header(item);
  }
  return out;
}

bool holds(const std::vector<std::string>& items, std::string_view item) {
  return std::any_of(items.begin(), items.end(),
                     [item](const std::string& i) { return iequals(i, item); });
}

}  // namespace

bool Cors::is_preflight(const http::Request& request) {
  return request.method == "OPTIONS" && !request.header("Access-Control-Request-Method").empty();
}

bool Cors::allows_all_origins() const {
  return origins.empty() || holds(origins, "*");
}

bool Cors::allows_origin(std::string_view origin) const {
  if (allows_all_origins()) {
    return true;
  }
  const std::string asked = ascii_lower(origin);
  return std::any_of(origins.begin(), origins.end(), [&asked](const std::string& entry) {
    const std::string rule = ascii_lower(entry);
    const size_t star = rule.find('*');
    if (star == std::string::npos) {
      return rule == asked;
    }
    const std::string_view head = std::string_view(rule).substr(0, star);
    const std::string_view tail = std::string_view(rule).substr(star + 1);
    return asked.size() >= head.size() + tail.size() && asked.starts_with(head) &&
           asked.ends_with(tail);
  });
}

bool Cors::allows_method(std::string_view method) const {
  return method == "OPTIONS" || holds(methods, method);
}

bool Cors::allows_headers(std::string_view requested) const {
  if (holds(headers, "*")) {
    return true;
  }
  static const std::vector<std::string> kDefaults = {"Accept", "Content-Type", "X-Requested-With"};
  const auto& allowed = headers.empty() ? kDefaults : headers;
  while (!requested.empty()) {
    const size_t comma = requested.find(',');
    const std::string_view name = http::trim(requested.substr(0, comma));
    requested = comma == std::string_view::npos ? "" : requested.substr(comma + 1);
    if (!name.empty() && !iequals(name, "Origin") && !holds(allowed, name)) {
      return false;
    }
  }
  return true;
}

http::Headers Cors::preflight_headers(const http::Request& request) const {
  http::Headers out;
  const std::string vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
  const std::string_view origin = request.header("Origin");
  const std::string_view method = request.header("Access-Control-Request-Method");
  const std::string_view asked = request.header("Access-Control-Request-Headers");
  if (!origin.empty() && allows_origin(origin) && allows_method(method) && allows_headers(asked)) {
    if (credentials) {
      out.emplace_back("Access-Control-Allow-Credentials", "true");
    }
    if (!asked.empty()) {
      out.emplace_back("Access-Control-Allow-Headers", asked);
    }
    out.emplace_back("Access-Control-Allow-Methods", method);
    out.emplace_back("Access-Control-Allow-Origin", allows_all_origins() ? "*" : origin);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(max_age).count();
    if (seconds > 0) {
      out.emplace_back("Access-Control-Max-Age", std::to_string(seconds));
    }
  }
  out.emplace_back("Vary", vary);
  return out;
}

http::Headers Cors::response_headers(const http::Request& request) const {
  http::Headers out;
  const std::string_view origin = request.header("Origin");
  if (!origin.empty() && allows_origin(origin) && allows_method(request.method)) {
    if (credentials) {
      out.emplace_back("Access-Control-Allow-Credentials", "true");
    }
    out.emplace_back("Access-Control-Allow-Origin", allows_all_origins() ? "*" : origin);
    if (!exposed.empty()) {
      out.emplace_back("Access-Control-Expose-Headers", join(exposed));
    }
  }
  out.emplace_back("Vary", "Origin");
  return out;
}

}  // namespace ica::web
