#include "common/crypto/psk.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

// The first bytes say how the rest is cut into writes and reads.
ICA_FUZZ(BytesView input) {
  (void)parse_psk(input);
  if (input.size() < 8) {
    return;
  }
  const Bytes key(kPskBytes, input[0]);
  const Bytes nonce(kPskNonceBytes, input[1]);
  PskStream one(key, nonce);
  PskStream two(key, nonce);
  const Bytes plain(input.substr(8));
  Bytes wire;
  for (size_t at = 0, i = 0; at < plain.size(); ++i) {
    const size_t size = 1 + static_cast<uint8_t>(input[2 + i % 3]);
    Bytes part = plain.substr(at, size);
    one.apply(part);
    wire += part;
    at += size;
  }
  Bytes read;
  for (size_t at = 0, i = 0; at < wire.size(); ++i) {
    const size_t size = 1 + static_cast<uint8_t>(input[5 + i % 3]);
    Bytes part = wire.substr(at, size);
    two.apply(part);
    read += part;
    at += size;
  }
  ICA_ASSERT(read == plain);
}
