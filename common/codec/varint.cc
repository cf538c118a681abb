#include "common/codec/varint.h"

namespace ica {

void append_varint(Bytes& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

Result<uint64_t> read_varint(BytesView& in) {
  uint64_t value = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    const auto byte = static_cast<uint8_t>(in[i]);
    if (i == kMaxVarintBytes - 1 && byte >= 0x80) {
      return fail(Code::InvalidArgument, "varints larger than uint63 not supported");
    }
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (byte == 0 && i > 0) {
        return fail(Code::InvalidArgument, "varint not minimally encoded");
      }
      in.remove_prefix(i + 1);
      return value;
    }
  }
  return fail(Code::InvalidArgument, "varints malformed, could not reach the end");
}

VarintState peek_varint(BytesView in, uint64_t& value, size_t& length) {
  BytesView rest = in.substr(0, kMaxVarintBytes);
  const size_t before = rest.size();
  if (const auto read = read_varint(rest); read.has_value()) {
    value = *read;
    length = before - rest.size();
    return VarintState::Complete;
  }
  for (const char c : rest) {
    if (static_cast<uint8_t>(c) < 0x80) {
      return VarintState::Invalid;  // ended, but not minimal
    }
  }
  return before < kMaxVarintBytes ? VarintState::Incomplete : VarintState::Invalid;
}

}  // namespace ica
