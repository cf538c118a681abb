#include "agent/rest/json_stream.h"

namespace ica::rest {

Task<void> send_lines(Exchange& exchange, LineSource& lines) {
  http::ResponseWriter& response = exchange.response;
  http::Headers headers = exchange.answer_headers();
  headers.emplace_back("Trailer", "X-Stream-Error");
  std::string batch;
  Status produced = co_await lines.next(batch);
  if (batch.empty()) {
    if (produced) {
      const Status sent = co_await response.send(204, std::move(headers), Bytes());
      (void)sent;
      co_return;
    }
    const int code = status_of(produced.error());
    if (produced.error().code() == Code::Busy) {
      headers.emplace_back("Retry-After", "1");
    }
    Status sent = co_await response.begin(code, std::move(headers));
    if (sent) {
      sent = co_await response.write(api::error_json(code, produced.error().message()) + "\n");
    }
    if (sent) {
      sent = co_await response.end();
    }
    co_return;
  }

  Status sent = co_await response.begin(200, std::move(headers));
  while (sent && !batch.empty()) {
    sent = co_await response.write(std::move(batch));
    if (!sent) {
      co_return;  // nobody reads any more
    }
    batch = std::string();
    if (produced) {
      produced = co_await lines.next(batch);
    }
  }
  if (!sent) {
    co_return;
  }
  const std::string error = produced ? std::string() : header_text(produced.error().message());
  http::Headers trailers;
  trailers.emplace_back("X-Stream-Error", error);
  sent = co_await response.end(std::move(trailers));
}

}  // namespace ica::rest
