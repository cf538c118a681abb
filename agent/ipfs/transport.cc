#include "agent/ipfs/transport.h"

#include <algorithm>
#include <random>

#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::ipfs {

namespace {

constexpr std::string_view kLog = "ipfshttp";
constexpr size_t kMaxErrorBody = 64 << 10;

constexpr std::array<std::string_view, kVerbs> kVerbNames = {
    "id",        "version",   "pin/ls",    "pin/add",     "pin/rm",        "pin/update",
    "resolve",   "repo/stat", "repo/gc",   "swarm/peers", "swarm/connect", "config",
    "block/get", "block/put", "dag/import"};
constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {
    "ok", "error", "unreachable", "refused", "timeout", "cancelled"};

http::ClientOptions client_options(const HttpConnectorOptions& options,
                                   const Transport::Target& target) {
  http::ClientOptions result;
  result.max_connections = options.pool_size;
  result.max_connections_per_host = options.pool_size;
  result.user_agent = options.user_agent;
  result.unix_socket = target.unix_socket;
  return result;
}

Breaker::Options breaker_options(const HttpConnectorOptions& options) {
  return {options.probe_first_delay, options.probe_max_delay,
          options.seed != 0 ? options.seed : std::random_device()()};
}

}  // namespace

void CallCounter::add(Verb verb, Outcome outcome, Duration took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const auto bucket = static_cast<size_t>(
      std::lower_bound(kCallBuckets.begin(), kCallBuckets.end(), seconds) - kCallBuckets.begin());
  const std::lock_guard lock(mutex_);
  CallStats& series = series_[static_cast<size_t>(verb)][static_cast<size_t>(outcome)];
  ++series.count;
  series.seconds += seconds;
  ++series.buckets[bucket];
}

void CallCounter::add_block(size_t size) {
  blocks_.fetch_add(1, std::memory_order_relaxed);
  block_bytes_.fetch_add(size, std::memory_order_relaxed);
}

BlockStats CallCounter::blocks() const {
  return {.blocks = blocks_.load(std::memory_order_relaxed),
          .bytes = block_bytes_.load(std::memory_order_relaxed)};
}

std::vector<CallStats> CallCounter::snapshot() const {
  std::vector<CallStats> result;
  const std::lock_guard lock(mutex_);
  for (size_t verb = 0; verb < kVerbs; ++verb) {
    for (size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      if (series_[verb][outcome].count > 0) {
        result.push_back(series_[verb][outcome]);
        result.back().verb = kVerbNames[verb];
        result.back().outcome = kOutcomeNames[outcome];
      }
    }
  }
  return result;
}

CallTimer::CallTimer(std::shared_ptr<Transport> transport, Verb verb)
    : transport_(std::move(transport)), verb_(verb), start_(std::chrono::steady_clock::now()) {
  // Calls that nobody's request has caused (probes, most of all) are no traces.
  if (const auto parent = trace::current(); parent.valid()) {
    span_ = trace::Span(fmt::format("kubo {}", kVerbNames[static_cast<size_t>(verb)]),
                        trace::Kind::Client, parent);
  }
}

void CallTimer::finish(Outcome outcome) {
  if (!std::exchange(finished_, true)) {
    transport_->counter().add(verb_, outcome, std::chrono::steady_clock::now() - start_);
    if (outcome != Outcome::Ok) {
      span_.fail(kOutcomeNames[static_cast<size_t>(outcome)]);
    }
    span_.end();
  }
}

void CallTimer::finish(const Status& outcome) {
  if (!outcome && !finished_) {
    span_.set("error.message", outcome.error().message());
  }
  finish(Transport::outcome_of(outcome));
}

LineStream::LineStream(std::shared_ptr<Transport> transport,
                       std::unique_ptr<http::ClientStream> stream, std::string url)
    : transport_(std::move(transport)), stream_(std::move(stream)), url_(std::move(url)) {}

Task<Result<std::optional<std::string>>> LineStream::next() {
  while (true) {
    if (auto line = splitter_.next()) {
      co_return std::optional<std::string>(std::move(line));
    }
    if (ended_) {
      co_return std::optional<std::string>();
    }
    auto piece = co_await stream_->read();
    if (!piece) {
      co_return fail(transport_->lost(piece.error(), url_));
    }
    if (!piece->has_value()) {
      ended_ = true;
      // Kubo has sent its headers long before it knows how the work ends.
      const std::string_view error = http::find_header(stream_->trailers(), "X-Stream-Error");
      if (!error.empty()) {
        co_return fail(Code::Internal, "IPFS error ({}). Code: 500. Message: {}",
                       url_.substr(std::min(url_.size(), url_.find("/api/v0/") + 8)), error);
      }
      std::string rest = splitter_.rest();
      if (!rest.empty()) {
        // A last document without newline; half of one is refused by its parser.
        co_return std::optional<std::string>(std::move(rest));
      }
      co_return std::optional<std::string>();
    }
    CO_TRY_VOID(splitter_.feed(**piece));
  }
}

Transport::Transport(HttpConnectorOptions options, Target target, Executor executor)
    : options_(std::move(options)),
      target_(std::move(target)),
      executor_(std::move(executor)),
      client_(client_options(options_, target_)),
      breaker_(breaker_options(options_)) {}

std::string Transport::url(std::string_view path) const {
  return target_.base + "/api/v0/" + std::string(path);
}

Outcome Transport::outcome_of(const Status& status) {
  if (status) {
    return Outcome::Ok;
  }
  switch (status.error().code()) {
    case Code::Unavailable:
      return Outcome::Unreachable;
    case Code::Timeout:
      return Outcome::Timeout;
    case Code::Cancelled:
      return Outcome::Cancelled;
    default:
      return Outcome::Error;
  }
}

namespace {

void add_trace(http::Headers& headers, const trace::Context& context) {
  if (context.valid()) {
    headers.emplace_back("traceparent", trace::traceparent(context));
    if (!context.state.empty()) {
      headers.emplace_back("tracestate", context.state);
    }
  }
}

}  // namespace

Status Transport::admit(const std::string& url) const {
  if (const auto cause = breaker_.refused()) {
    return fail(Code::Unavailable, "Post \"{}\": {}", url, *cause);
  }
  return Status();
}

Error Transport::lost(const Error& error, const std::string& url) {
  switch (error.code()) {
    case Code::Cancelled:
      return Error(Code::Cancelled, fmt::format("Post \"{}\": context canceled", url));
    case Code::TooLarge:
      return Error(Code::TooLarge, fmt::format("Post \"{}\": {}", url, error.message()));
    default:
      break;
  }
  // A Kubo that is slow at one call answers the prober at once and is let in again; one that hangs
  // or is gone stays out.
  const std::string cause =
      error.code() == Code::Timeout ? std::string("context deadline exceeded") : error.message();
  if (breaker_.failed(cause)) {
    log_warn(kLog, "IPFS is not reachable, calls fail until it answers again: {}", cause);
    start_prober();
  }
  return Error(error.code(), fmt::format("Post \"{}\": {}", url, cause));
}

Error Transport::refused(int status, std::string_view body, std::string_view path) {
  if (const auto message = error_message(body)) {
    return Error(Code::Internal,
                 fmt::format("IPFS error ({}). Code: {}. Message: {}", path, status, *message));
  }
  return Error(Code::Internal, fmt::format("IPFS request failed (is it running?) ({}). Code {}: {}",
                                           path, status, body.substr(0, 1024)));
}

Task<Result<Bytes>> Transport::call(Verb verb, std::string path, Duration timeout, size_t max_body,
                                    StopToken stop) {
  auto self = shared_from_this();
  CallTimer timer(self, verb);
  http::ClientRequest request;
  request.method = "POST";
  request.url = url(path);
  request.timeout = timeout;
  request.max_body = max_body;
  add_trace(request.headers, timer.context());
  if (auto admitted = admit(request.url); !admitted) {
    timer.finish(Outcome::Refused);
    co_return fail(std::move(admitted).error());
  }
  const std::string full = request.url;
  auto response = co_await client_.fetch(std::move(request), std::move(stop));
  if (!response) {
    Status outcome = fail(lost(response.error(), full));
    timer.finish(outcome);
    co_return fail(std::move(outcome).error());
  }
  breaker_.succeeded();
  if (response->status != 200) {
    timer.finish(Outcome::Error);
    co_return fail(refused(response->status, response->body, path));
  }
  timer.finish(Outcome::Ok);
  co_return std::move(response->body);
}

Task<Result<std::unique_ptr<http::ClientStream>>> Transport::open(std::string path,
                                                                  http::Headers headers,
                                                                  StopToken stop,
                                                                  trace::Context span) {
  auto self = shared_from_this();
  http::ClientRequest request;
  request.method = "POST";
  request.url = url(path);
  request.headers = std::move(headers);
  add_trace(request.headers, span);
  request.streamed_body = true;
  CO_TRY_VOID(admit(request.url));
  const std::string full = request.url;
  auto stream = co_await client_.open(std::move(request), std::move(stop));
  if (!stream) {
    co_return fail(lost(stream.error(), full));
  }
  co_return std::move(stream);
}

Task<Result<std::unique_ptr<LineStream>>> Transport::open_lines(std::string path,
                                                                Duration idle_timeout,
                                                                StopToken stop,
                                                                trace::Context span) {
  auto self = shared_from_this();
  http::ClientRequest request;
  request.method = "POST";
  request.url = url(path);
  request.idle_timeout = idle_timeout;
  add_trace(request.headers, span);
  CO_TRY_VOID(admit(request.url));
  const std::string full = request.url;
  auto stream = co_await client_.open(std::move(request), std::move(stop));
  if (!stream) {
    co_return fail(lost(stream.error(), full));
  }
  CO_TRY_VOID(co_await expect_ok(stream->get(), path));
  co_return std::make_unique<LineStream>(self, *std::move(stream), full);
}

Task<Status> Transport::expect_ok(http::ClientStream* stream, std::string path) {
  auto self = shared_from_this();
  auto status = co_await stream->status();
  if (!status) {
    co_return fail(lost(status.error(), url(path)));
  }
  breaker_.succeeded();
  if (*status == 200) {
    co_return Status();
  }
  Bytes body;
  while (body.size() < kMaxErrorBody) {
    auto piece = co_await stream->read();
    if (!piece || !piece->has_value()) {
      break;  // what came is what there is to say
    }
    body += **piece;
  }
  co_return fail(refused(*status, body, path));
}

void Transport::start_prober() {
  if (!probing_.exchange(true)) {
    spawn(executor_, probe(shared_from_this()), "the IPFS prober");
  }
}

void Transport::shut_down() {
  stop_.request_stop();
}

Task<void> Transport::probe(std::shared_ptr<Transport> self) {
  do {
    co_await probe_until_answer(self);
    self->probing_ = false;
    // A call may have failed between the answer and the line above, and found a prober at work.
  } while (!self->stop_.stop_requested() && self->breaker_.open() &&
           !self->probing_.exchange(true));
}

Task<void> Transport::probe_until_answer(std::shared_ptr<Transport> self) {
  const StopToken stop = self->stop_.get_token();
  while (!stop.stop_requested()) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = self->url("version");
    request.timeout = self->options_.probe_timeout;
    CallTimer timer(self, Verb::Version);
    auto response = co_await self->client_.fetch(std::move(request), stop);
    if (response) {
      timer.finish(response->status == 200 ? Outcome::Ok : Outcome::Error);
      self->breaker_.succeeded();
      log_info(kLog, "IPFS answers");
      co_return;
    }
    Status outcome = fail(std::move(response).error());
    timer.finish(outcome);
    if (outcome.error().code() == Code::Cancelled) {
      co_return;
    }
    // The cause that callers see follows what the prober finds. That the breaker was closed
    // meanwhile by a call that got through is no reason to stop: it has just failed again.
    if (self->breaker_.failed(outcome.error().code() == Code::Timeout
                                  ? std::string("context deadline exceeded")
                                  : outcome.error().message())) {
      log_warn(kLog, "IPFS is not reachable, calls fail until it answers: {}",
               outcome.error().message());
    }
    const Duration delay = self->breaker_.next_delay();
    const Status slept = co_await sleep_for(delay, stop);
    if (!slept) {
      co_return;
    }
  }
}

}  // namespace ica::ipfs
