#include "agent/rpc/exchange.h"

#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::rpc {
namespace {

constexpr Duration kCloseLimit = std::chrono::seconds(5);

Task<void> drain(p2p::StreamPtr stream) {
  stream->set_deadline(std::chrono::steady_clock::now() + kCloseLimit);
  (void)co_await stream->close_write();
  // The other side may still have a word or two to say.
  constexpr int kPieces = 16;
  for (int i = 0; i < kPieces; ++i) {
    const auto piece = co_await stream->read_some(4096);
    if (!piece || piece->empty()) {
      break;
    }
  }
}

// The peer answered, and not that it lacks a transport or a cipher of ours.
bool speaks_another_version(const Error& error) {
  return error.code() == Code::Unsupported && !error.message().starts_with("failed to dial");
}

}  // namespace

// The event's executor is a strand, whatever the caller runs on.
struct Turnstile::Waiter {
  explicit Waiter(Executor strand) : changed(std::move(strand)) {}
  Event changed;
  std::atomic<bool> has_place = false;

  static Task<void> wait(std::shared_ptr<Waiter> self, StopToken stop) {
    while (!self->has_place && !stop.stop_requested()) {
      (void)co_await self->changed.wait(std::chrono::hours(1), stop);
    }
  }
};

Task<Status> Turnstile::enter(StopToken stop) {
  const Executor strand = asio::make_strand(co_await asio::this_coro::executor);
  std::shared_ptr<Waiter> waiter;
  {
    const std::lock_guard lock(mutex_);
    if (free_ > 0) {
      --free_;
      co_return Status();
    }
    waiter = std::make_shared<Waiter>(strand);
    waiting_.push_back(waiter);
  }
  co_await on_executor(strand, Waiter::wait(waiter, stop));
  bool placed = false;
  {
    const std::lock_guard lock(mutex_);
    placed = waiter->has_place;
    std::erase(waiting_, waiter);
  }
  if (!placed) {
    co_return fail(Code::Cancelled, "context canceled");
  }
  co_return Status();
}

void Turnstile::leave() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  const std::shared_ptr<Waiter> next = waiting_.front();
  waiting_.pop_front();
  next->has_place = true;
  next->changed.notify_all();
}

void Exchange::set_limit(Duration limit) {
  stream_->set_deadline(limit == Duration::zero() ? std::chrono::steady_clock::time_point()
                                                  : std::chrono::steady_clock::now() + limit);
}

Status Exchange::take_header(BytesView value) {
  MsgpackReader in(value);
  ResponseHeader header;
  read(in, header);
  TRY_VOID(in.status());
  if (!header.error.empty()) {
    return fail(to_error(std::move(header)));
  }
  header_read_ = true;
  return {};
}

Result<std::optional<BytesView>> Exchange::next_buffered(size_t max_bytes) {
  if (!header_read_) {
    TRY(const auto header, reader_.buffered(max_bytes));
    if (!header) {
      return std::optional<BytesView>();
    }
    TRY_VOID(take_header(*header));
  }
  TRY(const auto value, reader_.buffered(max_bytes));
  if (value) {
    header_read_ = false;
  }
  return value;
}

Task<Result<std::optional<BytesView>>> Exchange::next_answer(size_t max_bytes) {
  if (!header_read_) {
    auto header = co_await reader_.next(max_bytes);
    if (!header) {
      co_return fail(std::move(header.error()));
    }
    if (!header->has_value()) {
      co_return std::optional<BytesView>();
    }
    const Status good = take_header(**header);
    if (!good) {
      co_return fail(good.error());
    }
  }
  auto value = co_await reader_.next(max_bytes);
  if (value && !value->has_value()) {
    co_return fail(Code::Protocol, "unexpected EOF");
  }
  header_read_ = false;
  co_return value;
}

Result<std::optional<BytesView>> Exchange::buffered_answer(size_t max_bytes) {
  if (failed_) {
    return fail(*failed_);
  }
  auto value = next_buffered(max_bytes);
  if (!value) {
    failed_ = value.error();
  }
  return value;
}

Task<Result<std::optional<BytesView>>> Exchange::answer(size_t max_bytes) {
  if (failed_) {
    co_return fail(*failed_);
  }
  auto value = co_await next_answer(max_bytes);
  if (!value) {
    failed_ = value.error();
  }
  co_return value;
}

tl::unexpected<Error> Exchange::refuse(Error error) {
  static LogLimiter limiter(1, std::chrono::hours(1));
  if (limiter.allow(stream_->peer().text())) {
    log_warn("rpc", "an answer of peer {} cannot be read ({}); is it of another version?",
             stream_->peer(), error.message());
  }
  failed_ = error;
  return fail(std::move(error));
}

Task<Result<ExchangePtr>> open_exchange(ClientPtr client, PeerId peer,
                                        std::vector<std::string> protocols, Duration limit,
                                        StopToken stop) {
  if (limit == Duration::zero() || limit > client->options.dial_limit) {
    limit = client->options.dial_limit;
  }
  auto stream = co_await client->network.open_stream(peer, std::move(protocols), limit, stop);
  if (stream) {
    co_return std::make_shared<Exchange>(std::move(*stream));
  }
  if (speaks_another_version(stream.error())) {
    static LogLimiter limiter(1, std::chrono::hours(1));
    if (limiter.allow(peer.text())) {
      log_warn("rpc", "peer {} does not speak {}: another version of the protocol; it is left out",
               peer, api::kRpcProtocol);
    }
    co_return fail(Code::PermissionDenied, "{}", stream.error().message());
  }
  co_return fail(call_error(std::move(stream.error()), stop));
}

void ResetStream::operator()() const {
  asio::post(stream->executor(), [stream = stream] { stream->reset(); });
}

Error call_error(Error error, const StopToken& stop) {
  if (stop.stop_requested()) {
    return {Code::Cancelled, "context canceled"};
  }
  if (error.code() == Code::Timeout) {
    return {Code::Timeout, "context deadline exceeded"};
  }
  if (error.code() == Code::Closed) {
    return {Code::Unavailable, "stream reset"};
  }
  return error;
}

void close_gently(p2p::StreamPtr stream) {
  const Executor executor = stream->executor();
  spawn(executor, drain(std::move(stream)), "rpc close");
}

}  // namespace ica::rpc
