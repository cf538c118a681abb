#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "agent/p2p/channel.h"

namespace ica::p2p {

// Two channels joined in memory, with a bounded pipe each way. Both ends on one strand.
class MemoryChannel final : public Channel {
 public:
  struct Pipe {
    explicit Pipe(Executor e) : changed(std::move(e)) {}
    Bytes data;
    bool closed = false;
    bool eof = false;
    asio::steady_timer changed;
  };

  MemoryChannel(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}

  static std::pair<std::shared_ptr<MemoryChannel>, std::shared_ptr<MemoryChannel>> pair(
      const Executor& e) {
    auto a = std::make_shared<Pipe>(e);
    auto b = std::make_shared<Pipe>(e);
    return {std::make_shared<MemoryChannel>(a, b), std::make_shared<MemoryChannel>(b, a)};
  }

  Task<Result<Bytes>> read_some(size_t limit) override {
    auto pipe = in_;
    while (pipe->data.empty()) {
      if (pipe->closed) {
        co_return fail(Code::Closed, "closed");
      }
      if (pipe->eof) {
        co_return Bytes();
      }
      co_await wait(pipe);
    }
    Bytes out = pipe->data.substr(0, limit);
    pipe->data.erase(0, out.size());
    pipe->changed.cancel();
    co_return out;
  }

  Task<Status> write(Bytes data) override {
    auto pipe = out_;
    while (pipe->data.size() > kCapacity && !pipe->closed) {
      co_await wait(pipe);
    }
    if (pipe->closed) {
      co_return fail(Code::Closed, "closed");
    }
    pipe->data += data;
    pipe->changed.cancel();
    co_return Status();
  }

  void close() override {
    out_->eof = true;
    out_->changed.cancel();
    in_->closed = true;
    in_->changed.cancel();
  }

 private:
  static constexpr size_t kCapacity = 64 * 1024;
  static Task<void> wait(std::shared_ptr<Pipe> pipe) {
    pipe->changed.expires_at(asio::steady_timer::time_point::max());
    boost::system::error_code ec;
    co_await pipe->changed.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
};

}  // namespace ica::p2p
