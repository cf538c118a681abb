#pragma once

#include "common/base/bytes.h"

namespace ica {

// Makes libsodium ready; whoever uses it directly calls this first. Cheap. Thread-safety: any
// thread.
void crypto_init();

// Bytes from the system's random generator. Thread-safety: any thread.
Bytes random_bytes(size_t count);
uint64_t random_u64();
// Even over [0, bound); bound is at least 1.
uint32_t random_below(uint32_t bound);

// Whether the two are equal, in a time that depends on their lengths only.
bool equal_constant_time(BytesView a, BytesView b);
// Overwrites a secret; the compiler does not remove it.
void wipe(Bytes& secret);

}  // namespace ica
