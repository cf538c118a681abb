#include "common/web/exchange.h"

namespace ica::web {
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

Task<void> Exchange::send_text(int status, std::string text) {
  Status sent;
  if (text.size() > kGoBuffer && request.version >= 11) {
    sent = co_await response.begin(status, answer_headers());
    if (sent) {
      sent = co_await response.write(std::move(text));
    }
    if (sent) {
      sent = co_await response.end();
    }
  } else {
    sent = co_await response.send(status, answer_headers(), std::move(text));
  }
  (void)sent;  // the client is gone, and nobody else wants to know
}

Task<void> Exchange::send_empty(int status) {
  const Status sent = co_await response.send(status, answer_headers(), Bytes());
  (void)sent;
}

Task<std::optional<Bytes>> small_body(http::BodyReader* body, size_t at_most) {
  Bytes out;
  while (true) {
    auto piece = co_await body->read();
    if (!piece || out.size() > at_most) {
      co_return std::nullopt;
    }
    if (!*piece) {
      co_return out;
    }
    out += **piece;
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

}  // namespace ica::web
