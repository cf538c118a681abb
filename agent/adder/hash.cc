#include "agent/adder/hash.h"

#include <array>
#include <charconv>
#include <openssl/evp.h>
#include <sodium.h>

#include "common/codec/multihash.h"

namespace ica::adder {

namespace {

struct Known {
  std::string_view name;
  uint64_t code;
  size_t length;
};

constexpr uint64_t kDoubleSha256 = 0x56;
constexpr uint64_t kShake128 = 0x18;
constexpr uint64_t kShake256 = 0x19;
constexpr uint64_t kBlake2b = 0xb200;  // plus the length in bytes
constexpr uint64_t kBlake2s256 = 0xb260;

constexpr std::array kKnown = {Known{"sha1", 0x11, 20},         Known{"sha2-256", 0x12, 32},
                               Known{"sha2-512", 0x13, 64},     Known{"sha3-512", 0x14, 64},
                               Known{"sha3", 0x14, 64},         Known{"sha3-384", 0x15, 48},
                               Known{"sha3-256", 0x16, 32},     Known{"sha3-224", 0x17, 28},
                               Known{"shake-128", 0x18, 32},    Known{"shake-256", 0x19, 64},
                               Known{"dbl-sha2-256", 0x56, 32}, Known{"blake2s-256", 0xb260, 32}};

// Names that go-multihash knows and that neither OpenSSL nor libsodium computes.
constexpr std::array<std::string_view, 12> kAbsent = {
    "identity", "keccak-224", "keccak-256", "keccak-384", "keccak-512",   "murmur3-x64-64",
    "blake3",   "md5",        "x11",        "sha2-224",   "sha2-512-224", "sha2-512-256"};

const EVP_MD* openssl_function(uint64_t code) {
  switch (code) {
    case 0x11:
      return EVP_sha1();
    case 0x12:
    case kDoubleSha256:
      return EVP_sha256();
    case 0x13:
      return EVP_sha512();
    case 0x14:
      return EVP_sha3_512();
    case 0x15:
      return EVP_sha3_384();
    case 0x16:
      return EVP_sha3_256();
    case 0x17:
      return EVP_sha3_224();
    case kShake128:
      return EVP_shake128();
    case kShake256:
      return EVP_shake256();
    case kBlake2s256:
      return EVP_blake2s256();
    default:
      return nullptr;
  }
}

Bytes digest_of(uint64_t code, size_t length, BytesView data) {
  Bytes out(length, '\0');
  if (code > kBlake2b && code <= kBlake2b + 64) {
    crypto_generichash_blake2b(u8(out), length, u8(data), data.size(), nullptr, 0);
    return out;
  }
  const EVP_MD* function = openssl_function(code);
  ICA_ASSERT(function != nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ICA_ASSERT(context != nullptr);
  bool ok = EVP_DigestInit_ex(context, function, nullptr) == 1 &&
            EVP_DigestUpdate(context, data.data(), data.size()) == 1;
  if (code == kShake128 || code == kShake256) {
    ok = ok && EVP_DigestFinalXOF(context, u8(out), length) == 1;
  } else {
    ok = ok && EVP_DigestFinal_ex(context, u8(out), nullptr) == 1;
  }
  EVP_MD_CTX_free(context);
  ICA_ASSERT(ok);
  return out;
}

}  // namespace

Result<HashFunction> HashFunction::by_name(std::string_view name) {
  HashFunction function;
  for (const Known& known : kKnown) {
    if (known.name == name) {
      function.code_ = known.code;
      function.length_ = known.length;
      return function;
    }
  }
  constexpr std::string_view kBlake2bName = "blake2b-";
  if (name.starts_with(kBlake2bName)) {
    const std::string_view digits = name.substr(kBlake2bName.size());
    unsigned bits = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    // libsodium starts at 16 bytes; shorter digests are of no use for content.
    if (end.ec == std::errc() && end.ptr == digits.data() + digits.size() && bits % 8 == 0 &&
        bits >= 128 && bits <= 512) {
      function.length_ = bits / 8;
      function.code_ = kBlake2b + function.length_;
      return function;
    }
  }
  for (const std::string_view absent : kAbsent) {
    if (absent == name) {
      return fail(Code::Unsupported, "hash function {} is not supported by this peer", name);
    }
  }
  return fail(Code::Internal, "hash function name not known");
}

Bytes HashFunction::multihash(BytesView data) const {
  Bytes digest = digest_of(code_, length_, data);
  if (code_ == kDoubleSha256) {
    digest = digest_of(code_, length_, digest);
  }
  return encode_multihash(code_, digest);
}

}  // namespace ica::adder
