// POST /pins with a pin a line; the reference has no such route.
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "common/api/peer.h"
#include "common/base/async.h"
#include "common/base/offload.h"

namespace ica::rest {
namespace {

constexpr size_t kMaxLine = 1 << 20;
// Lines that are pinned side by side; they go into one commit.
constexpr size_t kAtOnce = 512;
constexpr int kBusyTries = 100;
constexpr Duration kBusyPause = std::chrono::milliseconds(100);

struct Line {
  std::string cid;  // as it was given
  std::string error;
};

// A full queue is no reason to fail a line: the body just is read on later.
Task<Line> pin_line(cluster::Cluster* cluster, std::string text, StopToken stop) {
  auto pin = api::pin_from_json(text);
  if (!pin) {
    co_return Line{{}, pin.error().message()};
  }
  if (!pin->cid.defined()) {
    co_return Line{{}, "a line needs a cid"};
  }
  Line out;
  out.cid = pin->cid.text();
  api::Pin wish;
  wish.cid = std::move(pin->cid);
  wish.options = std::move(pin->options);
  for (int tries = 0;; ++tries) {
    const auto done = co_await cluster->pin(wish);
    if (done) {
      co_return out;
    }
    if (done.error().code() != Code::Busy || tries == kBusyTries) {
      out.error = done.error().message();
      co_return out;
    }
    const Status slept = co_await sleep_for(kBusyPause, stop);
    if (!slept) {
      out.error = "context canceled";
      co_return out;
    }
  }
}

std::string to_line(const Line& line) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("cid").string(line.cid);
  json.key("error").string(line.error);
  json.end_object();
  out.push_back('\n');
  return out;
}

// Cuts the body into lines, in bounded memory.
class Lines {
 public:
  explicit Lines(http::BodyReader* body) : body_(body) {}

  // Up to kAtOnce lines that are not empty; none at the end.
  Task<Result<std::vector<std::string>>> next() {
    std::vector<std::string> out;
    while (out.size() < kAtOnce) {
      const size_t end = buffer_.find('\n', from_);
      if (end != Bytes::npos || (done_ && from_ < buffer_.size())) {
        std::string line = buffer_.substr(from_, end == Bytes::npos ? end : end - from_);
        from_ = end == Bytes::npos ? buffer_.size() : end + 1;
        if (line.find_first_not_of(" \t\r") != std::string::npos) {
          out.push_back(std::move(line));
        }
        continue;
      }
      if (done_) {
        break;
      }
      buffer_.erase(0, from_);
      from_ = 0;
      if (buffer_.size() > kMaxLine) {
        co_return fail(Code::TooLarge, "a line is longer than {} bytes", kMaxLine);
      }
      Result<std::optional<Bytes>> piece = co_await body_->read();
      if (!piece) {
        co_return fail(std::move(piece.error()));
      }
      if (*piece) {
        buffer_ += **piece;
      } else {
        done_ = true;
      }
    }
    co_return out;
  }

 private:
  http::BodyReader* body_;
  Bytes buffer_;
  size_t from_ = 0;
  bool done_ = false;
};

}  // namespace

Task<void> post_pins(Exchange& exchange) {
  // Without the type it is the reference's unknown route.
  if (!exchange.request.header("Content-Type").starts_with("application/x-ndjson")) {
    co_await exchange.send_error(404, "not found");
    co_return;
  }
  LineWriter writer(exchange);
  Lines lines(exchange.request.body);
  Status outcome;
  while (true) {
    auto batch = co_await lines.next();
    if (!batch) {
      outcome = fail(std::move(batch.error()));
      break;
    }
    if (batch->empty()) {
      break;
    }
    std::vector<Task<Line>> tasks;
    for (std::string& line : *batch) {
      tasks.push_back(pin_line(&exchange.cluster, std::move(line), exchange.stop()));
    }
    const std::vector<Line> done = co_await gather(std::move(tasks));
    std::string text;
    for (const Line& line : done) {
      text += to_line(line);
    }
    const Status sent = co_await writer.write(std::move(text));
    if (!sent) {
      co_return;  // nobody reads any more
    }
  }
  co_await writer.finish(std::move(outcome));
}

}  // namespace ica::rest
