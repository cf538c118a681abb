#include "agent/rest/add_query.h"
#include "agent/rest/handlers.h"
#include "common/base/json_writer.h"
#include "common/base/log.h"

namespace ica::rest {
namespace {

constexpr size_t kMaxArray = 64 << 20;
constexpr size_t kDrain = 256 << 10;

// Parts whose first one was looked at already.
class Ahead final : public adder::PartSource {
 public:
  Ahead(adder::PartSource& parts, Result<std::optional<adder::Part>> first)
      : parts_(parts), first_(std::move(first)) {}

  Task<Result<std::optional<adder::Part>>> next() override {
    if (first_) {
      Result<std::optional<adder::Part>> first = std::move(*first_);
      first_.reset();
      co_return first;
    }
    co_return co_await parts_.next();
  }
  Task<Result<std::optional<Bytes>>> read() override { return parts_.read(); }

 private:
  adder::PartSource& parts_;
  std::optional<Result<std::optional<adder::Part>>> first_;
};

http::Headers add_headers(const Exchange& exchange, bool stream) {
  http::Headers out{{"Cache-Control", "no-cache"}};
  const http::Headers rest = exchange.answer_headers();
  out.insert(out.end(), rest.begin(), rest.end());
  if (stream) {
    out.emplace_back("Trailer", "X-Stream-Error");
    out.emplace_back("X-Chunked-Output", "1");
  }
  return out;
}

// Each line leaves at once.
class LineSink final : public adder::OutputSink {
 public:
  explicit LineSink(Exchange& exchange) : exchange_(exchange) {}

  Task<Status> put(api::AddedOutput line) override {
    if (!exchange_.response.begun()) {
      CO_TRY_VOID(co_await begin());
    }
    std::string text;
    JsonWriter json(text);
    write_json(json, line);
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
      trailers.emplace_back("X-Stream-Error", header_text(outcome.error().message()));
    }
    if (sent) {
      sent = co_await exchange_.response.end(std::move(trailers));
    }
  }

 private:
  Task<Status> begin() { return exchange_.response.begin(200, add_headers(exchange_, true)); }

  Exchange& exchange_;
};

// All lines together at the end, with a real status.
class ArraySink final : public adder::OutputSink {
 public:
  ArraySink() { json_.begin_array(); }

  Task<Status> put(api::AddedOutput line) override {
    if (text_.size() > kMaxArray) {
      co_return fail(Code::TooLarge, "too many files for an answer in one piece");
    }
    write_json(json_, line);
    co_return Status();
  }

  std::string take() {
    json_.end_array();
    return std::move(text_);
  }

 private:
  std::string text_;
  JsonWriter json_{text_};
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

Task<void> add_content(Exchange& exchange) {
  auto boundary = adder::multipart_boundary(exchange.request.header("Content-Type"));
  if (!boundary) {
    co_await exchange.send_error(400, boundary.error().message());
    co_return;
  }
  auto wanted = read_add_query(exchange.query, Time::now());
  if (!wanted) {
    co_await exchange.send_error(400, wanted.error().message());
    co_return;
  }
  const auto parts = adder::read_multipart(*exchange.request.body, std::move(*boundary));
  auto first = co_await parts->next();
  if (first && !*first) {
    // The reference crashes here and closes the connection; its clients know that as an error.
    log_info("restapi", "add: the request has no parts, closing the connection");
    co_return;
  }
  Ahead ahead(*parts, std::move(first));
  exchange.response.close_after();
  if (wanted->stream) {
    LineSink sink(exchange);
    auto outcome =
        co_await exchange.cluster.add(std::move(wanted->options), ahead, sink, exchange.stop());
    if (!outcome) {
      co_await drain(*exchange.request.body);
    }
    co_await sink.finish(std::move(outcome));
    co_return;
  }
  ArraySink sink;
  auto outcome =
      co_await exchange.cluster.add(std::move(wanted->options), ahead, sink, exchange.stop());
  exchange.headers.emplace_back("Cache-Control", "no-cache");
  if (!outcome) {
    co_await drain(*exchange.request.body);
    co_await exchange.send_error(outcome.error());
    co_return;
  }
  co_await exchange.send(200, sink.take());
}

}  // namespace ica::rest
