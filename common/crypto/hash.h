#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica {

// Digests in binary. Thread-safety: any thread.
Bytes sha256(BytesView data);
Bytes md5(BytesView data);
Bytes hmac_sha256(BytesView key, BytesView data);
Bytes hmac_sha384(BytesView key, BytesView data);
Bytes hmac_sha512(BytesView key, BytesView data);

// SHA-256 of data that comes in pieces. Thread-safety: none.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(BytesView data);
  // The digest of all so far; the object starts anew.
  Bytes finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The multihash functions that we can compute: identity, sha1, sha2-*, sha3-*, shake-*, keccak-256
// and -512, blake2b-* from 128 bits, blake2s-256, blake3, md5, dbl-sha2-256. Names and codes are
// go-multihash's, also of functions that cannot be computed.
std::optional<uint64_t> hash_code_by_name(std::string_view name);
bool can_hash(uint64_t code);

// The multihash of `data`. Unsupported for functions that we do not have.
Result<Bytes> make_multihash(uint64_t code, BytesView data);

// Whether `data` is what `cid` names: Ok, Corrupt when it is not, Unsupported when we cannot tell.
Status check_block(const Cid& cid, BytesView data);

}  // namespace ica
