#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// The pre-shared key of a private libp2p network.
inline constexpr size_t kPskBytes = 32;
inline constexpr size_t kPskNonceBytes = 24;

// CLUSTER_SECRET: 64 hexadecimal characters. Errors have the reference's words.
Result<Bytes> parse_psk(std::string_view hex);

// One direction of a private-network connection. The sender puts a random nonce in front, in clear;
// all bytes after it go through apply() in order. The keystream runs on over calls. There is no
// integrity: a wrong key shows as nonsense. Thread-safety: none.
class PskStream {
 public:
  // `key` and `nonce` have the sizes above.
  PskStream(BytesView key, BytesView nonce);
  ~PskStream();
  PskStream(const PskStream&) = delete;
  PskStream& operator=(const PskStream&) = delete;
  PskStream(PskStream&&) = default;
  PskStream& operator=(PskStream&&) = default;

  // Encrypts or decrypts in place.
  void apply(Bytes& data);

 private:
  static constexpr size_t kBlock = 64;

  std::array<uint8_t, kPskBytes> key_{};
  std::array<uint8_t, kPskNonceBytes> nonce_{};
  std::array<uint8_t, kBlock> rest_{};  // keystream of the block that was begun
  size_t rest_used_ = kBlock;
  uint64_t next_block_ = 0;
};

}  // namespace ica
