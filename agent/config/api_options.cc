#include "agent/config/api_options.h"

#include "common/base/log.h"
#include "common/http/headers.h"

namespace ica::config {
namespace {

// A request's headers may be this much longer than the setting says: Go's tolerance.
constexpr size_t kHeaderTolerance = 4096;

web::Cors cors_of(const HttpApi& settings) {
  web::Cors cors;
  cors.origins = settings.cors_allowed_origins;
  cors.methods = settings.cors_allowed_methods;
  cors.headers = settings.cors_allowed_headers;
  cors.exposed = settings.cors_exposed_headers;
  cors.credentials = settings.cors_allow_credentials;
  cors.max_age = settings.cors_max_age;
  return cors;
}

http::Headers configured_headers(const HttpApi& settings) {
  http::Headers out;
  for (const auto& [name, values] : settings.headers) {
    for (const std::string& value : values) {
      out.emplace_back(http::canonical_header(name), value);
    }
  }
  return out;
}

}  // namespace

web::ApiOptions api_options(const Config& config, const HttpApi& settings, std::string name,
                            std::string title) {
  if (!settings.libp2p_listen_multiaddress.empty() || !settings.id.empty()) {
    log_warn(name,
             "libp2p_listen_multiaddress is set, but this agent does not offer the {} over "
             "libp2p; it is served over HTTP only",
             title);
  }
  web::ApiOptions out;
  out.name = std::move(name);
  out.title = std::move(title);
  out.listen = settings.http_listen_multiaddress;
  out.http.name = out.name;
  out.http.max_header_bytes = static_cast<size_t>(settings.max_header_bytes) + kHeaderTolerance;
  out.http.max_connections = static_cast<size_t>(config.agent.max_api_connections);
  out.http.read_header_timeout = settings.read_header_timeout;
  out.http.read_timeout = settings.read_timeout;
  out.http.write_timeout = settings.write_timeout;
  out.http.idle_timeout = settings.idle_timeout;
  if (!settings.ssl_cert_file.empty() && !settings.ssl_key_file.empty()) {
    out.http.tls = http::TlsOptions{config.resolve(settings.ssl_cert_file).string(),
                                    config.resolve(settings.ssl_key_file).string()};
  }
  out.credentials = settings.basic_auth_credentials;
  out.login_failures_per_minute = config.agent.login_failures_per_minute;
  out.cors = cors_of(settings);
  out.headers = configured_headers(settings);
  if (!settings.http_log_file.empty()) {
    out.access_log = config.resolve(settings.http_log_file).string();
  }
  return out;
}

}  // namespace ica::config
