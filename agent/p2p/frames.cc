#include "agent/p2p/frames.h"

#include <algorithm>

#include "common/codec/varint.h"

namespace ica::p2p {
namespace {

constexpr size_t kReadSize = 64 * 1024;

Task<Status> write_here(StreamPtr stream, Bytes data, Duration limit) {
  stream->set_deadline(std::chrono::steady_clock::now() +
                       std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit));
  Status written = co_await stream->write(std::move(data));
  stream->set_deadline({});
  co_return written;
}

}  // namespace

Task<Result<std::optional<Bytes>>> FrameReader::next() {
  while (true) {
    const BytesView rest = BytesView(buffer_).substr(at_);
    uint64_t size = 0;
    size_t length = 0;
    const VarintState state = peek_varint(rest, size, length);
    if (state == VarintState::Invalid) {
      co_return fail(Code::Protocol, "a frame with a bad length");
    }
    if (state == VarintState::Complete) {
      if (size > max_frame_) {
        co_return fail(Code::TooLarge, "a frame of {} bytes", size);
      }
      if (rest.size() - length >= size) {
        Bytes out(rest.substr(length, size));
        at_ += length + size;
        if (at_ == buffer_.size()) {
          buffer_ = Bytes();
          at_ = 0;
        }
        co_return std::optional<Bytes>(std::move(out));
      }
    }
    auto more = co_await stream_->read_some(kReadSize);
    if (!more) {
      co_return fail(std::move(more).error());
    }
    if (more->empty()) {
      if (at_ < buffer_.size()) {
        co_return fail(Code::Protocol, "the stream ends inside a frame");
      }
      co_return std::optional<Bytes>();
    }
    if (at_ > 0) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    if (buffer_.empty()) {
      buffer_ = *std::move(more);
    } else {
      buffer_ += *more;
    }
  }
}

Bytes frame(BytesView body) {
  Bytes out;
  out.reserve(body.size() + kMaxVarintBytes);
  append_varint(out, body.size());
  out += body;
  return out;
}

Task<Status> write_on_stream(StreamPtr stream, Bytes data, Duration limit) {
  const Executor executor = stream->executor();
  co_return co_await asio::co_spawn(executor, write_here(std::move(stream), std::move(data), limit),
                                    asio::use_awaitable);
}

void reset_on_stream(const StreamPtr& stream) {
  if (stream) {
    asio::post(stream->executor(), [stream] { stream->reset(); });
  }
}

}  // namespace ica::p2p
