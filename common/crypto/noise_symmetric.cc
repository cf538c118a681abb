#include "common/crypto/noise_symmetric.h"

#include <algorithm>
#include <memory>
#include <openssl/evp.h>
#include <sodium.h>

#include "common/crypto/hash.h"
#include "common/crypto/random.h"

namespace ica {

namespace {

constexpr std::string_view kProtocolName = "Noise_XX_25519_ChaChaPoly_SHA256";
static_assert(kProtocolName.size() == 32);  // so it is the first hash as it stands

NoiseKey to_key(BytesView bytes) {
  NoiseKey key;
  ICA_ASSERT(bytes.size() == key.size());
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

BytesView bytes_of(const NoiseKey& key) {
  return view(key.data(), key.size());
}

// OpenSSL's ChaCha20-Poly1305 is three times as fast as libsodium's, and bulk transfers are bound
// by it. A context is set to the key of each message, which costs little, so one for each thread
// will do.
EVP_CIPHER_CTX* cipher_context() {
  struct Free {
    void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
  };
  thread_local const std::unique_ptr<EVP_CIPHER_CTX, Free> context = [] {
    std::unique_ptr<EVP_CIPHER_CTX, Free> made(EVP_CIPHER_CTX_new());
    ICA_ASSERT(made && EVP_CipherInit_ex(made.get(), EVP_chacha20_poly1305(), nullptr, nullptr,
                                         nullptr, 1) == 1);
    return made;
  }();
  return context.get();
}

// Sets key and nonce and takes the associated data in.
EVP_CIPHER_CTX* begin(bool seal, const NoiseKey& key, const std::array<uint8_t, 12>& nonce,
                      BytesView associated) {
  EVP_CIPHER_CTX* const context = cipher_context();
  ICA_ASSERT(EVP_CipherInit_ex(context, nullptr, nullptr, key.data(), nonce.data(), seal ? 1 : 0) ==
             1);
  int length = 0;
  ICA_ASSERT(associated.empty() || EVP_CipherUpdate(context, nullptr, &length, u8(associated),
                                                    static_cast<int>(associated.size())) == 1);
  return context;
}

}  // namespace

NoiseCipher::~NoiseCipher() {
  sodium_memzero(key_.data(), key_.size());
}

std::array<uint8_t, 12> NoiseCipher::next_nonce() {
  std::array<uint8_t, 12> nonce{};
  for (size_t i = 0; i < 8; ++i) {
    nonce[4 + i] = static_cast<uint8_t>(count_ >> (8 * i));
  }
  ++count_;  // 2^64 messages do not happen in the life of a connection
  return nonce;
}

void NoiseCipher::seal(BytesView plain, BytesView associated, Bytes& out) {
  const auto nonce = next_nonce();
  const size_t start = out.size();
  out.resize(start + plain.size() + kTag);
  EVP_CIPHER_CTX* const context = begin(true, key_, nonce, associated);
  int length = 0;
  ICA_ASSERT(EVP_CipherUpdate(context, u8(out) + start, &length, u8(plain),
                              static_cast<int>(plain.size())) == 1);
  ICA_ASSERT(EVP_CipherFinal_ex(context, u8(out) + start + length, &length) == 1);
  ICA_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTag,
                                 u8(out) + start + plain.size()) == 1);
}

Status NoiseCipher::open(BytesView sealed, BytesView associated, Bytes& out) {
  if (sealed.size() < kTag) {
    return fail(Code::Protocol, "noise: message too short");
  }
  const auto nonce = next_nonce();
  const size_t start = out.size();
  const size_t size = sealed.size() - kTag;
  out.resize(start + size);
  EVP_CIPHER_CTX* const context = begin(false, key_, nonce, associated);
  std::array<uint8_t, kTag> tag{};
  std::copy(sealed.end() - kTag, sealed.end(), tag.begin());
  int length = 0;
  if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) != 1 ||
      EVP_CipherUpdate(context, u8(out) + start, &length, u8(sealed), static_cast<int>(size)) !=
          1 ||
      EVP_CipherFinal_ex(context, u8(out) + start + length, &length) != 1) {
    out.resize(start);
    return fail(Code::Protocol, "noise: message authentication failed");
  }
  return {};
}

NoiseSymmetric::NoiseSymmetric(BytesView prologue)
    : hash_(kProtocolName), chaining_key_(to_key(kProtocolName)) {
  crypto_init();
  mix_hash(prologue);
}

NoiseSymmetric::~NoiseSymmetric() {
  sodium_memzero(chaining_key_.data(), chaining_key_.size());
}

void NoiseSymmetric::mix_hash(BytesView data) {
  hash_ = sha256(hash_.append(data));
}

std::pair<NoiseKey, NoiseKey> NoiseSymmetric::hkdf(BytesView input) const {
  Bytes temporary = hmac_sha256(bytes_of(chaining_key_), input);
  Bytes first = hmac_sha256(temporary, "\x01");
  Bytes second = hmac_sha256(temporary, first + '\x02');
  std::pair<NoiseKey, NoiseKey> out{to_key(first), to_key(second)};
  wipe(temporary);
  wipe(first);
  wipe(second);
  return out;
}

void NoiseSymmetric::mix_key(const NoiseKey& secret) {
  const auto keys = hkdf(bytes_of(secret));
  chaining_key_ = keys.first;
  cipher_ = NoiseCipher(keys.second);
  has_key_ = true;
}

void NoiseSymmetric::encrypt_and_hash(BytesView plain, Bytes& out) {
  const size_t start = out.size();
  if (has_key_) {
    cipher_.seal(plain, hash_, out);
  } else {
    out.append(plain);
  }
  mix_hash(BytesView(out).substr(start));
}

Status NoiseSymmetric::decrypt_and_hash(BytesView sealed, Bytes& out) {
  if (has_key_) {
    TRY_VOID(cipher_.open(sealed, hash_, out));
  } else {
    out.append(sealed);
  }
  mix_hash(sealed);
  return {};
}

std::pair<NoiseKey, NoiseKey> NoiseSymmetric::split() const {
  return hkdf({});
}

Result<NoiseKey> x25519(const NoiseKey& secret, BytesView public_key) {
  NoiseKey out;
  ICA_ASSERT(public_key.size() == crypto_scalarmult_curve25519_BYTES);
  if (crypto_scalarmult_curve25519(out.data(), secret.data(), u8(public_key)) != 0) {
    return fail(Code::Protocol, "noise: bad public key");
  }
  return out;
}

NoiseKey x25519_public(const NoiseKey& secret) {
  NoiseKey out;
  crypto_scalarmult_curve25519_base(out.data(), secret.data());
  return out;
}

}  // namespace ica
