#include "agent/rpc/call.h"

#include "common/base/async.h"

namespace ica::rpc {
namespace {

constexpr size_t kMaxServiceId = 4096;
constexpr size_t kPiece = 16 << 10;

Task<void> watch_caller(CallPtr call, bool close_ends, size_t may_drop) {
  const p2p::StreamPtr stream = call->stream();
  size_t dropped = 0;
  while (true) {
    auto piece = co_await stream->read_some(kPiece);
    if (piece && piece->empty()) {
      if (close_ends) {
        call->stopping().request_stop();
      }
      co_return;
    }
    dropped += piece ? piece->size() : 0;
    if (!piece || dropped > may_drop) {
      call->stopping().request_stop();
      stream->reset();
      co_return;
    }
  }
}

}  // namespace

Call::Call(Backend backend, p2p::StreamPtr stream)
    : backend_(std::move(backend)), stream_(stream), reader_(std::move(stream)) {}

void Call::expect_within(Duration limit) {
  stream_->set_deadline(limit == Duration::zero() ? std::chrono::steady_clock::time_point()
                                                  : std::chrono::steady_clock::now() + limit);
}

Task<Status> Call::read_id() {
  expect_within(backend_.options.request_limit);
  auto bytes = co_await reader_.next(kMaxServiceId);
  if (!bytes) {
    co_return fail(std::move(bytes.error()));
  }
  if (!bytes->has_value()) {
    co_return fail(Code::Closed, "EOF");
  }
  MsgpackReader in(**bytes);
  read(in, id_);
  if (!in.ok()) {
    co_return in.status();
  }
  write(header_, ResponseHeader{id_, {}, ErrorType::Method});
  // A header need not name the call; of thousands in a row between us only the first does.
  later_header_ = stream_->protocol() == kOwnProtocol ? encode(Empty()) : header_;
  co_return Status();
}

Task<Status> Call::flush() {
  if (out_.empty()) {
    co_return Status();
  }
  expect_within(backend_.options.stall_limit);
  Bytes data;
  data.swap(out_);
  auto written = co_await stream_->write(std::move(data));
  if (!written) {
    failed_ = true;
    stopping_.request_stop();
    stream_->reset();
  }
  co_return written;
}

Task<void> Call::answer_error(Error error, ErrorType type) {
  write(out_, ResponseHeader{id_, error.message(), type});
  MsgpackWriter(out_).nil();
  (void)co_await flush();
  co_await finish();
}

Task<void> Call::finish() {
  if (failed_) {
    co_return;
  }
  expect_within(backend_.options.request_limit);
  (void)co_await stream_->close_write();
}

void watch(CallPtr call, bool close_ends, size_t may_drop) {
  const Executor executor = call->stream()->executor();
  spawn(executor, watch_caller(std::move(call), close_ends, may_drop), "rpc caller");
}

}  // namespace ica::rpc
