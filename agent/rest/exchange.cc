#include "agent/rest/exchange.h"

#include "common/api/peer.h"

namespace ica::rest {
namespace {

// Go's server knows the length of an answer that fits its first buffer, and chunks longer ones.
constexpr size_t kGoBuffer = 2048;

}  // namespace

std::string_view Exchange::var(std::string_view name) const {
  const auto found = vars.find(name);
  return found == vars.end() ? std::string_view() : std::string_view(found->second);
}

http::Headers Exchange::answer_headers() const {
  http::Headers out{{"Content-Type", "application/json"}};
  out.insert(out.end(), headers.begin(), headers.end());
  return out;
}

Task<void> Exchange::send(int status, std::string json) {
  json.push_back('\n');
  if (early_status != 0) {
    status = early_status;
    json.insert(0, early_body);
  }
  Status sent;
  if (json.size() > kGoBuffer && request.version >= 11) {
    sent = co_await response.begin(status, answer_headers());
    if (sent) {
      sent = co_await response.write(std::move(json));
    }
    if (sent) {
      sent = co_await response.end();
    }
  } else {
    sent = co_await response.send(status, answer_headers(), std::move(json));
  }
  (void)sent;  // the client is gone, and nobody else wants to know
}

Task<void> Exchange::send_empty(int status) {
  const Status sent = co_await response.send(status, answer_headers(), Bytes());
  (void)sent;
}

Task<void> Exchange::send_error(int status, std::string_view message) {
  return send(status, api::error_json(status, message));
}

Task<void> Exchange::send_error(const Error& error) {
  const int status = status_of(error);
  if (error.code() == Code::Busy) {
    headers.emplace_back("Retry-After", "1");
  }
  return send(status, api::error_json(status, error.message()));
}

void Exchange::bad_option(std::string_view message) {
  early_status = 400;
  early_body = api::error_json(400, message) + "\n";
}

int status_of(const Error& error) {
  switch (error.code()) {
    case Code::NotFound:
      return error.message() == cluster::kNotPinned ? 404 : 500;
    case Code::Busy:
      return 429;
    default:
      return 500;
  }
}

std::string header_text(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      c = ' ';
    }
  }
  return out;
}

}  // namespace ica::rest
