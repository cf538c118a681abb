#include "common/crypto/key.h"

#include <cstring>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "common/codec/multibase.h"
#include "common/codec/multihash.h"
#include "common/codec/pbwire.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"

namespace ica {

namespace {

constexpr uint32_t kTypeField = 1;
constexpr uint32_t kDataField = 2;
constexpr size_t kEd25519Public = 32;
constexpr size_t kEd25519Private = 64;
// Keys whose message is longer are named by a hash of it.
constexpr size_t kMaxInlineKey = 42;
// As in go-libp2p: smaller ones are not secure, larger ones take seconds to verify with.
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr size_t kMaxKeyMessage = 16 * 1024;

tl::unexpected<Error> bad(std::string_view why) {
  return fail(Code::InvalidArgument, "invalid key: {}", why);
}

struct KeyMessage {
  KeyType type = KeyType::Rsa;
  BytesView data;
};

Result<KeyMessage> read_message(BytesView message) {
  if (message.size() > kMaxKeyMessage) {
    return fail(Code::TooLarge, "invalid key: longer than {} bytes", kMaxKeyMessage);
  }
  KeyMessage out;
  bool have_type = false;
  bool have_data = false;
  PbReader in(message);
  while (in.next()) {
    if (in.field() == kTypeField) {
      const uint64_t type = in.varint();
      if (type > static_cast<uint64_t>(KeyType::Ecdsa)) {
        return bad("unknown type");
      }
      out.type = static_cast<KeyType>(type);
      have_type = true;
    } else if (in.field() == kDataField) {
      out.data = in.bytes();
      have_data = true;
    }
  }
  if (!in.ok() || !have_type || !have_data) {
    return bad("not a key message");
  }
  return out;
}

Bytes write_message(KeyType type, BytesView data) {
  Bytes out;
  PbWriter(out).varint(kTypeField, static_cast<uint64_t>(type)).bytes(kDataField, data);
  return out;
}

using Handle = std::shared_ptr<void>;
Handle own(EVP_PKEY* key) {
  return {key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); }};
}
EVP_PKEY* evp(const Handle& handle) {
  return static_cast<EVP_PKEY*>(handle.get());
}

// A DER SubjectPublicKeyInfo, all of it.
Handle read_public_der(BytesView der) {
  const unsigned char* at = u8(der);
  EVP_PKEY* const key = d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size()));
  if (key == nullptr) {
    return nullptr;
  }
  Handle handle = own(key);
  return at == u8(der) + der.size() ? handle : nullptr;
}

bool rsa_size_allowed(const Handle& handle) {
  const int bits = EVP_PKEY_get_bits(evp(handle));
  return bits >= kMinRsaBits && bits <= kMaxRsaBits;
}

// What stands before a compressed secp256k1 point in a SubjectPublicKeyInfo.
constexpr unsigned char kSecp256k1Prefix[] = {0x30, 0x36, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                              0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                              0x81, 0x04, 0x00, 0x0a, 0x03, 0x22, 0x00};
constexpr size_t kSecp256k1Point = 33;

}  // namespace

Result<PublicKey> PublicKey::from_protobuf(BytesView message) {
  TRY(const KeyMessage read, read_message(message));
  PublicKey key(read.type, Bytes(read.data));
  switch (read.type) {
    case KeyType::Ed25519:
      if (read.data.size() != kEd25519Public) {
        return bad("expect ed25519 public key data size to be 32");
      }
      return key;
    case KeyType::Rsa:
      key.handle_ = read_public_der(read.data);
      if (key.handle_ == nullptr || EVP_PKEY_get_base_id(evp(key.handle_)) != EVP_PKEY_RSA) {
        return bad("not an RSA public key");
      }
      if (!rsa_size_allowed(key.handle_)) {
        return bad("RSA keys must have 2048 to 8192 bits");
      }
      return key;
    case KeyType::Secp256k1:
      if (read.data.size() != kSecp256k1Point) {
        return bad("expect a compressed secp256k1 point");
      }
      key.handle_ =
          read_public_der(Bytes(view(kSecp256k1Prefix, sizeof kSecp256k1Prefix)).append(read.data));
      if (key.handle_ == nullptr) {
        return bad("not a point of secp256k1");
      }
      return key;
    case KeyType::Ecdsa:
      key.handle_ = read_public_der(read.data);
      if (key.handle_ == nullptr || EVP_PKEY_get_base_id(evp(key.handle_)) != EVP_PKEY_EC) {
        return bad("not an ECDSA public key");
      }
      return key;
  }
  return bad("unknown type");
}

Result<PublicKey> PublicKey::from_peer_id(const PeerId& id) {
  TRY(const Multihash hash, decode_multihash(id.bytes()));
  if (hash.code != multicodec::kIdentity) {
    return fail(Code::NotFound, "public key is not embedded in peer ID");
  }
  return from_protobuf(hash.digest);
}

Bytes PublicKey::protobuf() const {
  return write_message(type_, data_);
}

PeerId PublicKey::peer_id() const {
  const Bytes message = protobuf();
  const Bytes hash = message.size() <= kMaxInlineKey
                         ? encode_multihash(multicodec::kIdentity, message)
                         : encode_multihash(multicodec::kSha2_256, sha256(message));
  auto id = PeerId::from_bytes(hash);
  ICA_ASSERT(id.has_value());
  return *std::move(id);
}

bool PublicKey::verify(BytesView message, BytesView signature) const {
  crypto_init();
  if (type_ == KeyType::Ed25519) {
    return signature.size() == crypto_sign_BYTES &&
           crypto_sign_verify_detached(u8(signature), u8(message), message.size(), u8(data_)) == 0;
  }
  // The others sign a SHA-256: RSA with PKCS #1 v1.5, the curves with a DER pair of numbers.
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool good =
      context != nullptr &&
      EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, evp(handle_)) == 1 &&
      EVP_DigestVerify(context, u8(signature), signature.size(), u8(message), message.size()) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

struct PrivateKey::Secret {
  Secret(PublicKey key, Bytes bytes) : public_key(std::move(key)), data(std::move(bytes)) {}
  ~Secret() { wipe(data); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  PublicKey public_key;
  Bytes data;     // Ed25519: seed and public key. RSA: DER, PKCS #1
  Handle handle;  // RSA
};

PrivateKey PrivateKey::generate() {
  Bytes seed = random_bytes(crypto_sign_SEEDBYTES);
  PrivateKey key = from_seed(seed);
  wipe(seed);
  return key;
}

PrivateKey PrivateKey::from_seed(BytesView seed) {
  crypto_init();
  ICA_ASSERT(seed.size() == crypto_sign_SEEDBYTES);
  Bytes public_data(kEd25519Public, '\0');
  Bytes data(kEd25519Private, '\0');
  crypto_sign_seed_keypair(u8(public_data), u8(data), u8(seed));
  return PrivateKey(std::make_shared<const Secret>(
      PublicKey(KeyType::Ed25519, std::move(public_data)), std::move(data)));
}

Result<PrivateKey> PrivateKey::read_ed25519(BytesView data) {
  // Old keys repeat the public half at the end.
  if (data.size() == kEd25519Private + kEd25519Public) {
    if (!equal_constant_time(data.substr(32, 32), data.substr(64))) {
      return bad("expected redundant ed25519 public key to be redundant");
    }
    data = data.substr(0, kEd25519Private);
  }
  if (data.size() != kEd25519Private) {
    return fail(Code::InvalidArgument,
                "invalid key: expected ed25519 data size to be 64 or 96, got {}", data.size());
  }
  PrivateKey key = from_seed(data.substr(0, 32));
  if (!equal_constant_time(key.public_key().data(), data.substr(32))) {
    return bad("the public half of the ed25519 key does not belong to the private one");
  }
  return key;
}

Result<PrivateKey> PrivateKey::read_rsa(BytesView data) {
  const unsigned char* at = u8(data);
  EVP_PKEY* const read = d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &at, static_cast<long>(data.size()));
  if (read == nullptr) {
    return bad("not an RSA private key");
  }
  Handle handle = own(read);
  if (!rsa_size_allowed(handle)) {
    return bad("RSA keys must have 2048 to 8192 bits");
  }
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(evp(handle), &der);
  if (length <= 0) {
    return bad("not an RSA private key");
  }
  const Bytes public_der(view(der, static_cast<size_t>(length)));
  OPENSSL_free(der);
  TRY(PublicKey public_key, PublicKey::from_protobuf(write_message(KeyType::Rsa, public_der)));
  auto secret = std::make_shared<Secret>(std::move(public_key), Bytes(data));
  secret->handle = std::move(handle);
  return PrivateKey(std::move(secret));
}

Result<PrivateKey> PrivateKey::from_protobuf(BytesView message) {
  TRY(const KeyMessage read, read_message(message));
  switch (read.type) {
    case KeyType::Ed25519:
      return read_ed25519(read.data);
    case KeyType::Rsa:
      return read_rsa(read.data);
    case KeyType::Secp256k1:
    case KeyType::Ecdsa:
      break;
  }
  return fail(Code::Unsupported, "private keys must be Ed25519 or RSA");
}

Result<PrivateKey> PrivateKey::from_base64(std::string_view text) {
  auto message = base64_decode(text);
  if (!message.has_value()) {
    return fail(message.error());
  }
  auto key = from_protobuf(*message);
  wipe(*message);
  return key;
}

KeyType PrivateKey::type() const {
  return secret_->public_key.type();
}

Bytes PrivateKey::protobuf() const {
  return write_message(type(), secret_->data);
}

std::string PrivateKey::base64() const {
  Bytes message = protobuf();
  std::string text = ica::base64(message);
  wipe(message);
  return text;
}

const PublicKey& PrivateKey::public_key() const {
  return secret_->public_key;
}

Bytes PrivateKey::sign(BytesView message) const {
  if (type() == KeyType::Ed25519) {
    Bytes signature(crypto_sign_BYTES, '\0');
    crypto_sign_detached(u8(signature), nullptr, u8(message), message.size(), u8(secret_->data));
    return signature;
  }
  EVP_PKEY* const key = evp(secret_->handle);
  Bytes signature(static_cast<size_t>(EVP_PKEY_get_size(key)), '\0');
  size_t length = signature.size();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool good =
      context != nullptr && EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestSign(context, u8(signature), &length, u8(message), message.size()) == 1;
  EVP_MD_CTX_free(context);
  ICA_ASSERT(good);
  signature.resize(length);
  return signature;
}

}  // namespace ica
