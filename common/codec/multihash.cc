#include "common/codec/multihash.h"

#include "common/codec/varint.h"

namespace ica {

Result<Multihash> read_multihash(BytesView& in) {
  if (in.size() < 2) {
    return fail(Code::InvalidArgument, "multihash too short. must be >= 2 bytes");
  }
  BytesView rest = in;
  Multihash out;
  TRY(out.code, read_varint(rest));
  TRY(const uint64_t length, read_varint(rest));
  if (length > 0x7fffffff) {
    return fail(Code::InvalidArgument, "digest too long, supporting only <= 2^31-1");
  }
  if (length > rest.size()) {
    return fail(Code::InvalidArgument, "length greater than remaining number of bytes in buffer");
  }
  out.digest = rest.substr(0, length);
  rest.remove_prefix(length);
  in = rest;
  return out;
}

Result<Multihash> decode_multihash(BytesView bytes) {
  BytesView rest = bytes;
  TRY(const Multihash out, read_multihash(rest));
  if (!rest.empty()) {
    return fail(Code::InvalidArgument, "multihash length inconsistent: expected {}; got {}",
                out.digest.size(), bytes.size() - rest.size());
  }
  return out;
}

Bytes encode_multihash(uint64_t code, BytesView digest) {
  Bytes out;
  out.reserve(2 * kMaxVarintBytes + digest.size());
  append_varint(out, code);
  append_varint(out, digest.size());
  out.append(digest);
  return out;
}

}  // namespace ica
