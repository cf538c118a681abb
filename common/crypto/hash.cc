#include "common/crypto/hash.h"

#include <openssl/evp.h>
#include <sodium.h>

#include "common/codec/multihash.h"
#include "common/crypto/blake3.h"
#include "common/crypto/keccak.h"
#include "common/crypto/random.h"

namespace ica {

namespace {

struct Function {
  uint64_t code;
  std::string_view name;  // empty: go-multihash has none, so nobody can ask for it
  const char* evp;        // OpenSSL's name; null when it is done elsewhere or not at all
  size_t length;          // of the digest
  Bytes (*compute)(BytesView) = nullptr;  // where it is done elsewhere
};

Bytes identity(BytesView data) {
  return Bytes(data);
}
Bytes keccak256(BytesView data) {
  return keccak(32, data);
}
Bytes keccak512(BytesView data) {
  return keccak(64, data);
}
Bytes double_sha256(BytesView data) {
  return sha256(sha256(data));
}

// blake2b-8 to blake2b-512 are 64 codes in a row, of which libsodium does those from 128 bits, and
// blake2s-8 to blake2s-256 the 32 after them, of which the last is in the table.
constexpr uint64_t kBlake2bFirst = 0xb201;
constexpr uint64_t kBlake2bLast = 0xb240;
constexpr uint64_t kBlake2sFirst = 0xb241;
constexpr uint64_t kBlake2sLast = 0xb260;

constexpr Function kFunctions[] = {
    {0x11, "sha1", "SHA1", 20},
    {0x12, "sha2-256", "SHA256", 32},
    {0x13, "sha2-512", "SHA512", 64},
    {0x20, "", "SHA384", 48},
    {0x1012, "sha2-256-trunc254-padded", nullptr, 32},
    {0x1013, "", "SHA224", 28},
    {0x1014, "", "SHA512-224", 28},
    {0x1015, "", "SHA512-256", 32},
    {0x14, "sha3-512", "SHA3-512", 64},
    {0x14, "sha3", "SHA3-512", 64},
    {0x15, "sha3-384", "SHA3-384", 48},
    {0x16, "sha3-256", "SHA3-256", 32},
    {0x17, "sha3-224", "SHA3-224", 28},
    {0x18, "shake-128", "SHAKE128", 32},
    {0x19, "shake-256", "SHAKE256", 64},
    {0x1a, "keccak-224", nullptr, 28},
    {0x1b, "keccak-256", nullptr, 32, &keccak256},
    {0x1c, "keccak-384", nullptr, 48},
    {0x1d, "keccak-512", nullptr, 64, &keccak512},
    {0x1e, "blake3", nullptr, 32, &blake3},
    {0x22, "murmur3-x64-64", nullptr, 8},
    {0x56, "dbl-sha2-256", nullptr, 32, &double_sha256},
    {0xd5, "md5", "MD5", 16},
    {kBlake2sLast, "blake2s-256", "BLAKE2S256", 32},
    {0x1100, "x11", nullptr, 64},
    {0xb401, "poseidon-bls12_381-a2-fc1", nullptr, 32},
    {multicodec::kIdentity, "identity", nullptr, 0, &identity},
};

const Function* function_by_code(uint64_t code) {
  for (const Function& f : kFunctions) {
    if (f.code == code) {
      return &f;
    }
  }
  return nullptr;
}

size_t blake2b_length(uint64_t code) {
  return code >= kBlake2bFirst && code <= kBlake2bLast ? code - kBlake2bFirst + 1 : 0;
}

bool blake2b_possible(uint64_t code) {
  return blake2b_length(code) >= crypto_generichash_BYTES_MIN;
}

// Empty when this OpenSSL does not offer the function.
Bytes evp_digest(const char* name, size_t length, BytesView data) {
  Bytes out(length, '\0');
  EVP_MD* const md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) {
    return {};
  }
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool extendable = (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0;
  bool good = context != nullptr && EVP_DigestInit_ex2(context, md, nullptr) == 1 &&
              EVP_DigestUpdate(context, data.data(), data.size()) == 1;
  if (good && extendable) {
    good = EVP_DigestFinalXOF(context, u8(out), out.size()) == 1;
  } else if (good) {
    unsigned int written = 0;
    good = static_cast<size_t>(EVP_MD_get_size(md)) == length &&
           EVP_DigestFinal_ex(context, u8(out), &written) == 1;
  }
  EVP_MD_CTX_free(context);
  EVP_MD_free(md);
  return good ? out : Bytes();
}

Bytes blake2b(size_t length, BytesView data) {
  crypto_init();
  Bytes out(length, '\0');
  crypto_generichash(u8(out), out.size(), u8(data), data.size(), nullptr, 0);
  return out;
}

Bytes hmac(const char* digest, size_t length, BytesView key, BytesView data) {
  Bytes out(length, '\0');
  size_t written = 0;
  const unsigned char* const result =
      EVP_Q_mac(nullptr, "HMAC", nullptr, digest, nullptr, key.data(), key.size(), u8(data),
                data.size(), u8(out), out.size(), &written);
  ICA_ASSERT(result != nullptr && written == length);
  return out;
}

}  // namespace

Bytes sha256(BytesView data) {
  Bytes out(crypto_hash_sha256_BYTES, '\0');
  // OpenSSL's uses the processor's SHA instructions, libsodium's does not.
  unsigned int written = 0;
  const int done = EVP_Digest(data.data(), data.size(), u8(out), &written, EVP_sha256(), nullptr);
  ICA_ASSERT(done == 1);
  return out;
}

Bytes md5(BytesView data) {
  Bytes out = evp_digest("MD5", 16, data);
  ICA_ASSERT(!out.empty());
  return out;
}

Bytes hmac_sha256(BytesView key, BytesView data) {
  Bytes out(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, u8(key), key.size());
  crypto_auth_hmacsha256_update(&state, u8(data), data.size());
  crypto_auth_hmacsha256_final(&state, u8(out));
  return out;
}

Bytes hmac_sha384(BytesView key, BytesView data) {
  return hmac("SHA384", 48, key, data);
}

Bytes hmac_sha512(BytesView key, BytesView data) {
  return hmac("SHA512", 64, key, data);
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { start(); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  void start() { ICA_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(BytesView data) {
  ICA_ASSERT(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

Bytes Sha256::finish() {
  Bytes out(32, '\0');
  unsigned int written = 0;
  ICA_ASSERT(EVP_DigestFinal_ex(state_->context, u8(out), &written) == 1);
  state_->start();
  return out;
}

std::optional<uint64_t> hash_code_by_name(std::string_view name) {
  if (name.empty()) {
    return std::nullopt;
  }
  for (const Function& f : kFunctions) {
    if (f.name == name) {
      return f.code;
    }
  }
  for (uint64_t code = kBlake2bFirst; code <= kBlake2bLast; ++code) {
    if (name == fmt::format("blake2b-{}", blake2b_length(code) * 8)) {
      return code;
    }
  }
  for (uint64_t code = kBlake2sFirst; code < kBlake2sLast; ++code) {
    if (name == fmt::format("blake2s-{}", (code - kBlake2sFirst + 1) * 8)) {
      return code;
    }
  }
  return std::nullopt;
}

bool can_hash(uint64_t code) {
  if (blake2b_possible(code)) {
    return true;
  }
  const Function* const f = function_by_code(code);
  return f != nullptr && (f->evp != nullptr || f->compute != nullptr);
}

Result<Bytes> make_multihash(uint64_t code, BytesView data) {
  if (code == multicodec::kSha2_256) {
    return encode_multihash(code, sha256(data));
  }
  if (blake2b_possible(code)) {
    return encode_multihash(code, blake2b(blake2b_length(code), data));
  }
  const Function* const f = function_by_code(code);
  if (f != nullptr && f->compute != nullptr) {
    return encode_multihash(code, f->compute(data));
  }
  if (f != nullptr && f->evp != nullptr) {
    const Bytes digest = evp_digest(f->evp, f->length, data);
    if (!digest.empty()) {
      return encode_multihash(code, digest);
    }
  }
  return fail(Code::Unsupported, "the hash function {:#x} is not available", code);
}

Status check_block(const Cid& cid, BytesView data) {
  if (!cid.defined()) {
    return fail(Code::InvalidArgument, "no CID to check a block against");
  }
  // A multihash may carry only the front of a digest.
  TRY(const Multihash wanted, decode_multihash(cid.multihash()));
  TRY(const Bytes computed, make_multihash(wanted.code, data));
  TRY(const Multihash actual, decode_multihash(computed));
  const bool whole = wanted.code == multicodec::kIdentity || wanted.digest.size() < 20;
  const bool good = whole ? actual.digest == wanted.digest
                          : actual.digest.substr(0, wanted.digest.size()) == wanted.digest;
  if (!good) {
    return fail(Code::Corrupt, "block does not match its CID {}", cid.text());
  }
  return {};
}

}  // namespace ica
