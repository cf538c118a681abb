#include "common/crypto/psk.h"

#include <algorithm>
#include <sodium.h>

#include "common/codec/multibase.h"
#include "common/crypto/random.h"

namespace ica {

static_assert(kPskBytes == crypto_stream_xsalsa20_KEYBYTES);
static_assert(kPskNonceBytes == crypto_stream_xsalsa20_NONCEBYTES);

Result<Bytes> parse_psk(std::string_view hex) {
  TRY(Bytes key, base16_decode(hex));
  if (key.size() != kPskBytes) {
    return fail(Code::InvalidArgument, "input secret is {} bytes, cluster secret should be 32",
                key.size());
  }
  return key;
}

PskStream::PskStream(BytesView key, BytesView nonce) {
  crypto_init();
  ICA_ASSERT(key.size() == kPskBytes && nonce.size() == kPskNonceBytes);
  std::copy(key.begin(), key.end(), key_.begin());
  std::copy(nonce.begin(), nonce.end(), nonce_.begin());
}

PskStream::~PskStream() {
  sodium_memzero(key_.data(), key_.size());
  sodium_memzero(rest_.data(), rest_.size());
}

void PskStream::apply(Bytes& data) {
  uint8_t* at = u8(data);
  size_t left = data.size();
  while (left > 0 && rest_used_ < kBlock) {
    *at++ ^= rest_[rest_used_++];
    --left;
  }
  const size_t blocks = left / kBlock;
  if (blocks > 0) {
    crypto_stream_xsalsa20_xor_ic(at, at, blocks * kBlock, nonce_.data(), next_block_, key_.data());
    next_block_ += blocks;
    at += blocks * kBlock;
    left -= blocks * kBlock;
  }
  if (left > 0) {
    rest_.fill(0);
    crypto_stream_xsalsa20_xor_ic(rest_.data(), rest_.data(), kBlock, nonce_.data(), next_block_++,
                                  key_.data());
    for (rest_used_ = 0; rest_used_ < left; ++rest_used_) {
      at[rest_used_] ^= rest_[rest_used_];
    }
  }
}

}  // namespace ica
