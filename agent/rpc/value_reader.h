#pragma once

#include <optional>

#include "agent/p2p/stream.h"
#include "common/codec/msgpack.h"

namespace ica::rpc {

// The values that come back to back on a stream, one after the other. Memory: one value, and at
// most 64 KiB of what follows it. Thread-safety: none; used on the stream's executor.
class ValueReader {
 public:
  explicit ValueReader(p2p::StreamPtr stream) : stream_(std::move(stream)) {}

  // The bytes of the next value, valid until the next call; nothing at the clean end of the stream.
  // Errors: those of the stream, TooLarge, InvalidArgument (not msgpack), Protocol (the stream ends
  // within a value). After an error no further value can be found.
  Task<Result<std::optional<BytesView>>> next(size_t max_bytes);
  // The same for what has arrived already: nothing when that is no whole value.
  Result<std::optional<BytesView>> buffered(size_t max_bytes);

 private:
  p2p::StreamPtr stream_;
  Bytes buffer_;
  size_t at_ = 0;  // start of what has not been given out
  std::optional<MsgpackScanner> scanner_;
};

}  // namespace ica::rpc
