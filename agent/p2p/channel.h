#pragma once

#include <memory>
#include <utility>

#include "common/base/asio.h"
#include "common/base/bytes.h"

namespace ica::p2p {

// A two-way byte stream between two peers: a socket, or one layer of protection on top of another
// channel. Reads and writes may run at the same time, but only one of each. Thread-safety: used on
// one strand.
class Channel {
 public:
  virtual ~Channel() = default;
  // 1..limit bytes, or an empty string at the clean end. Errors: Closed (reset, or closed by us).
  virtual Task<Result<Bytes>> read_some(size_t limit) = 0;
  // All of `data`.
  virtual Task<Status> write(Bytes data) = 0;
  // Ends reads and writes that wait; idempotent.
  virtual void close() = 0;
};
using ChannelPtr = std::shared_ptr<Channel>;

// Bytes that were read from `inner` too early are given out again before it is read further.
class BufferedChannel final : public Channel {
 public:
  explicit BufferedChannel(ChannelPtr inner) : inner_(std::move(inner)) {}

  Task<Result<Bytes>> read_some(size_t limit) override;
  Task<Status> write(Bytes data) override;
  void close() override { inner_->close(); }

  // Exactly `count` bytes; an end before them is Closed.
  Task<Result<Bytes>> read_exactly(size_t count);
  // An unsigned varint of at most `max`, byte by byte.
  Task<Result<uint64_t>> read_varint(uint64_t max);
  // Whether everything has been read and the other side has ended; waits for its next byte or its
  // end.
  Task<Result<bool>> at_end();
  // The channel below and what was read from it and not given out: for handing it on.
  std::pair<ChannelPtr, Bytes> release();

 private:
  ChannelPtr inner_;
  Bytes pending_;
  size_t at_ = 0;  // start of what is unread in pending_
};

}  // namespace ica::p2p
