#pragma once

#include <memory>

#include "agent/p2p/channel.h"

namespace ica::p2p {

// Reads are the fuzzer's input, in pieces whose sizes come from the input too; writes go nowhere.
class ScriptChannel final : public Channel {
 public:
  explicit ScriptChannel(BytesView input) : input_(input) {}

  Task<Result<Bytes>> read_some(size_t limit) override {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    if (closed_) {
      co_return fail(Code::Closed, "closed");
    }
    const size_t wish = input_.empty() ? 0 : 1 + static_cast<uint8_t>(input_[0]) * 7U;
    Bytes piece(input_.substr(0, std::min(limit, wish)));
    input_.remove_prefix(piece.size());
    co_return piece;
  }
  Task<Status> write(Bytes data) override {
    written_ += data.size();
    if (closed_) {
      co_return fail(Code::Closed, "closed");
    }
    co_return Status();
  }
  void close() override { closed_ = true; }

  size_t written() const { return written_; }

 private:
  BytesView input_;
  size_t written_ = 0;
  bool closed_ = false;
};

}  // namespace ica::p2p
