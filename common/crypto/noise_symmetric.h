#pragma once

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

using NoiseKey = std::array<uint8_t, 32>;

// ChaCha20-Poly1305 with a counter as nonce: one direction of a Noise connection. Thread-safety:
// none.
class NoiseCipher {
 public:
  static constexpr size_t kTag = 16;

  explicit NoiseCipher(const NoiseKey& key) : key_(key) {}
  ~NoiseCipher();
  NoiseCipher(const NoiseCipher&) = default;
  NoiseCipher& operator=(const NoiseCipher&) = default;

  // Appends the sealed `plain` (kTag bytes longer).
  void seal(BytesView plain, BytesView associated, Bytes& out);
  // Appends what was sealed. Protocol when it was not sealed with this key and count.
  Status open(BytesView sealed, BytesView associated, Bytes& out);

  const NoiseKey& key() const { return key_; }

 private:
  std::array<uint8_t, 12> next_nonce();

  NoiseKey key_;
  uint64_t count_ = 0;
};

// The running hash and keys of a handshake, after the Noise specification (SymmetricState), for
// Noise_XX_25519_ChaChaPoly_SHA256. Internal to the handshake.
class NoiseSymmetric {
 public:
  explicit NoiseSymmetric(BytesView prologue);
  ~NoiseSymmetric();

  void mix_hash(BytesView data);
  void mix_key(const NoiseKey& secret);
  void encrypt_and_hash(BytesView plain, Bytes& out);
  Status decrypt_and_hash(BytesView sealed, Bytes& out);
  // Keys from initiator to responder, and back.
  std::pair<NoiseKey, NoiseKey> split() const;

  const Bytes& hash() const { return hash_; }

 private:
  std::pair<NoiseKey, NoiseKey> hkdf(BytesView input) const;

  Bytes hash_;
  NoiseKey chaining_key_{};
  NoiseCipher cipher_{NoiseKey{}};
  bool has_key_ = false;
};

// X25519. Protocol when the other side's point is one of the few that give a known secret.
Result<NoiseKey> x25519(const NoiseKey& secret, BytesView public_key);
NoiseKey x25519_public(const NoiseKey& secret);

}  // namespace ica
