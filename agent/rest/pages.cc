#include "agent/rest/dashboard_html.h"
#include "agent/rest/handlers.h"
#include "agent/rest/openapi_json.h"
#include "common/codec/multibase.h"
#include "common/crypto/random.h"

namespace ica::rest {
namespace {

constexpr std::string_view kNonce = "@NONCE@";

std::string page_with(std::string_view nonce) {
  std::string out;
  std::string_view rest = kDashboard;
  for (size_t at = rest.find(kNonce); at != std::string_view::npos; at = rest.find(kNonce)) {
    out.append(rest.substr(0, at)).append(nonce);
    rest.remove_prefix(at + kNonce.size());
  }
  return out.append(rest);
}

}  // namespace

Task<void> get_openapi(Exchange& exchange) {
  co_await exchange.send_text(200, std::string(kOpenApi));
}

Task<bool> show_dashboard(web::Exchange& exchange) {
  if (exchange.request.header("Accept").find("text/html") == std::string_view::npos) {
    co_return false;
  }
  const std::string nonce = base16(random_bytes(16));
  // The page may run its own script, and ask this API only.
  http::Headers headers{
      {"Content-Type", "text/html; charset=utf-8"},
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy",
       fmt::format("default-src 'none'; script-src 'nonce-{}'; style-src 'nonce-{}'; "
                   "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                   "frame-ancestors 'none'",
                   nonce, nonce)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  headers.insert(headers.end(), exchange.headers.begin(), exchange.headers.end());
  const Status sent = co_await exchange.response.send(200, std::move(headers), page_with(nonce));
  (void)sent;  // the client is gone
  co_return true;
}

}  // namespace ica::rest
