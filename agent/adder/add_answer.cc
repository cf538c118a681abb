#include "agent/adder/add_answer.h"

#include "common/base/log.h"

namespace ica::adder {
namespace {

constexpr size_t kMaxArray = 64 << 20;
constexpr size_t kDrain = 256 << 10;

// The reference crashes when an upload has no parts, and closes the connection, which its clients
// know as an error.
bool had_no_parts(const Result<Cid>& outcome) {
  if (!outcome || outcome->defined()) {
    return false;
  }
  log_info("adder", "an upload has no parts, closing the connection");
  return true;
}

http::Headers add_headers(const web::Exchange& exchange) {
  http::Headers out{{"Cache-Control", "no-cache"}};
  const http::Headers rest = exchange.answer_headers();
  out.insert(out.end(), rest.begin(), rest.end());
  out.emplace_back("Trailer", "X-Stream-Error");
  out.emplace_back("X-Chunked-Output", "1");
  return out;
}

// Each line leaves at once.
class LineSink final : public OutputSink {
 public:
  LineSink(web::Exchange& exchange, const AddAnswer& answer)
      : exchange_(exchange), answer_(answer) {}

  Task<Status> put(api::AddedOutput line) override {
    if (!exchange_.response.begun()) {
      CO_TRY_VOID(co_await begin());
    }
    std::string text = answer_.line(line);
    text.push_back('\n');
    co_return co_await exchange_.response.write(std::move(text));
  }

  Task<void> finish(Result<Cid> outcome) {
    Status sent;
    if (!exchange_.response.begun()) {
      sent = co_await begin();
    }
    http::Headers trailers;
    if (!outcome) {
      trailers.emplace_back("X-Stream-Error", web::header_text(outcome.error().message()));
    }
    if (sent) {
      sent = co_await exchange_.response.end(std::move(trailers));
    }
  }

 private:
  Task<Status> begin() { return exchange_.response.begin(200, add_headers(exchange_)); }

  web::Exchange& exchange_;
  const AddAnswer& answer_;
};

// All lines together at the end, with a real status.
class ArraySink final : public OutputSink {
 public:
  explicit ArraySink(const AddAnswer& answer) : answer_(answer) {}

  Task<Status> put(api::AddedOutput line) override {
    if (text_.size() > kMaxArray) {
      co_return fail(Code::TooLarge, "too many files for an answer in one piece");
    }
    text_ += text_.empty() ? '[' : ',';
    text_ += answer_.line(line);
    co_return Status();
  }

  // With a newline.
  std::string take() {
    text_ += text_.empty() ? "[]\n" : "]\n";
    return std::move(text_);
  }

 private:
  const AddAnswer& answer_;
  std::string text_;
};

// A client that is still sending would not see the answer when its connection is reset.
Task<void> drain(http::BodyReader& body) {
  size_t taken = 0;
  while (taken < kDrain) {
    auto piece = co_await body.read();
    if (!piece || !*piece) {
      co_return;
    }
    taken += (*piece)->size();
  }
}

}  // namespace

Task<void> answer_add(web::Exchange& exchange, AddRequest wanted, std::string boundary,
                      AddAnswer answer) {
  const auto parts = read_multipart(*exchange.request.body, std::move(boundary));
  exchange.response.close_after();
  if (wanted.stream) {
    LineSink sink(exchange, answer);
    auto outcome = co_await answer.run(std::move(wanted.options), *parts, sink);
    if (had_no_parts(outcome)) {
      co_return;
    }
    if (!outcome) {
      co_await drain(*exchange.request.body);
    }
    co_await sink.finish(std::move(outcome));
    co_return;
  }
  ArraySink sink(answer);
  auto outcome = co_await answer.run(std::move(wanted.options), *parts, sink);
  if (had_no_parts(outcome)) {
    co_return;
  }
  exchange.headers.emplace_back("Cache-Control", "no-cache");
  if (!outcome) {
    co_await drain(*exchange.request.body);
    co_await answer.fail(outcome.error());
    co_return;
  }
  co_await exchange.send_text(200, sink.take());
}

}  // namespace ica::adder
