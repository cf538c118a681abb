#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// A hash with its function's code and its length in front. Views into the bytes that were read.
struct Multihash {
  uint64_t code = 0;
  BytesView digest;
};

// The whole of `bytes` must be one multihash. Errors have go-multihash's words.
Result<Multihash> decode_multihash(BytesView bytes);
// Reads one from the front of `in` and removes it.
Result<Multihash> read_multihash(BytesView& in);
Bytes encode_multihash(uint64_t code, BytesView digest);

}  // namespace ica
