#include "common/crypto/random.h"

#include <sodium.h>

#include "common/base/result.h"

namespace ica {

// libsodium asks to be initialised once; afterwards everything in it is thread-safe.
void crypto_init() {
  static const bool ready = sodium_init() >= 0;
  ICA_ASSERT(ready);
}

Bytes random_bytes(size_t count) {
  crypto_init();
  Bytes out(count, '\0');
  randombytes_buf(out.data(), out.size());
  return out;
}

uint64_t random_u64() {
  crypto_init();
  uint64_t out = 0;
  randombytes_buf(&out, sizeof out);
  return out;
}

uint32_t random_below(uint32_t bound) {
  crypto_init();
  return randombytes_uniform(bound);
}

bool equal_constant_time(BytesView a, BytesView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(Bytes& secret) {
  sodium_memzero(secret.data(), secret.size());
}

}  // namespace ica
