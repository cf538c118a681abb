#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica::adder {

// What a chunk's taker needs around the content, in bytes, so that a block is made of it in place.
struct ChunkRoom {
  size_t front = 0;  // there already, of any value
  size_t back = 0;   // reserved
};

// Cuts content into chunks, fed piece by piece. Memory: at most one chunk plus one piece.
// Thread-safety: none.
class Chunker {
 public:
  // Takes a chunk: room.front bytes, then its content.
  using OnChunk = std::function<void(Bytes)>;

  virtual ~Chunker() = default;
  virtual void feed(BytesView piece, const OnChunk& on_chunk) = 0;
  // The rest, if any. The chunker can then be used for the next content.
  virtual void finish(const OnChunk& on_chunk) = 0;
};

// "size-N", "rabin", "rabin-AVG", "rabin-MIN-AVG-MAX", "buzhash", "" or "default". The chunks are
// those of boxo's chunkers. Errors have their words ("unrecognized chunker option: x", ...).
Result<std::unique_ptr<Chunker>> make_chunker(std::string_view spec, ChunkRoom room);

}  // namespace ica::adder
