#pragma once

#include <optional>

#include "agent/p2p/stream.h"

namespace ica::p2p {

// Cuts a stream into frames with an unsigned varint length in front, as gossipsub and bitswap have
// them. Holds no buffer while it waits for a frame. Thread-safety: the stream's executor.
class FrameReader {
 public:
  FrameReader(StreamPtr stream, size_t max_frame)
      : stream_(std::move(stream)), max_frame_(max_frame) {}

  // The next frame without its length; nothing at the clean end. Errors: TooLarge, Protocol (a bad
  // length, an end inside a frame) and those of the stream.
  Task<Result<std::optional<Bytes>>> next();

 private:
  const StreamPtr stream_;
  const size_t max_frame_;
  Bytes buffer_;
  size_t at_ = 0;  // start of what is unread
};

// `body` with its length in front.
Bytes frame(BytesView body);

// Writes on the stream's executor, wherever the caller runs, and gives up after `limit`.
Task<Status> write_on_stream(StreamPtr stream, Bytes data, Duration limit);
// Resets the stream on its executor.
void reset_on_stream(const StreamPtr& stream);

}  // namespace ica::p2p
