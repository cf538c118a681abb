#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// Unsigned varints as multiformats uses them: seven bits a byte, low bits first, at most 63 bits
// and nine bytes, and only the shortest form is accepted. (Protobuf's ten-byte varints are in
// pbwire.h.)
inline constexpr size_t kMaxVarintBytes = 9;

void append_varint(Bytes& out, uint64_t value);

// Reads one from the front of `in` and removes it. Errors have go-varint's words; `in` is then
// unchanged.
Result<uint64_t> read_varint(BytesView& in);

// For framing: what stands at the front of a buffer that is still filling.
enum class VarintState { Complete, Incomplete, Invalid };
// On Complete, `value` is set and `length` is the number of bytes it took.
VarintState peek_varint(BytesView in, uint64_t& value, size_t& length);

}  // namespace ica
