#include "agent/rest/exchange.h"

#include "agent/cluster/http_status.h"
#include "common/api/peer.h"

namespace ica::rest {

Task<void> Exchange::send(int status, std::string json) {
  json.push_back('\n');
  if (early_status != 0) {
    status = early_status;
    json.insert(0, early_body);
  }
  return send_text(status, std::move(json));
}

Task<void> Exchange::send_error(int status, std::string_view message) {
  return send(status, api::error_json(status, message));
}

Task<void> Exchange::send_error(const Error& error) {
  const int status = cluster::http_status_of(error);
  if (error.code() == Code::Busy) {
    headers.emplace_back("Retry-After", "1");
  }
  return send(status, api::error_json(status, error.message()));
}

void Exchange::bad_option(std::string_view message) {
  early_status = 400;
  early_body = api::error_json(400, message) + "\n";
}

}  // namespace ica::rest
