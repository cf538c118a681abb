#pragma once

#include "common/base/bytes.h"

namespace ica {

// Keccak as it was before SHA-3 was settled (Ethereum's hash): the same permutation, other padding,
// which is why OpenSSL's SHA3 cannot stand in. `length` of the digest is 32 or 64 bytes.
// Thread-safety: any thread.
Bytes keccak(size_t length, BytesView data);

}  // namespace ica
