#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/peer_id.h"

namespace ica {

// The kinds of libp2p keys; the numbers are those of the key messages.
enum class KeyType { Rsa = 0, Ed25519 = 1, Secp256k1 = 2, Ecdsa = 3 };

// A libp2p public key. All kinds are read and can verify. Thread-safety: a value; verify from any
// thread.
class PublicKey {
 public:
  // The key message (type and data).
  static Result<PublicKey> from_protobuf(BytesView message);
  // The key that an Ed25519 peer ID holds; NotFound when the ID is only a hash of its key.
  static Result<PublicKey> from_peer_id(const PeerId& id);

  KeyType type() const { return type_; }
  // Ed25519: 32 bytes. RSA, ECDSA: a DER SubjectPublicKeyInfo. Secp256k1: a compressed point.
  const Bytes& data() const { return data_; }
  Bytes protobuf() const;
  // The message itself under the identity function when it is short, else its SHA-256.
  PeerId peer_id() const;
  // False also for signatures that are no signatures.
  bool verify(BytesView message, BytesView signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) {
    return a.type_ == b.type_ && a.data_ == b.data_;
  }

 private:
  friend class PrivateKey;
  PublicKey(KeyType type, Bytes data) : type_(type), data_(std::move(data)) {}

  KeyType type_;
  Bytes data_;
  std::shared_ptr<void> handle_;  // OpenSSL's, for all but Ed25519
};

// A libp2p private key: Ed25519, or RSA as old peers have. Thread-safety: a value; sign from any
// thread. The secret is overwritten when the last copy goes.
class PrivateKey {
 public:
  // A new Ed25519 key.
  static PrivateKey generate();
  // The Ed25519 key with this 32-byte seed.
  static PrivateKey from_seed(BytesView seed);
  static Result<PrivateKey> from_protobuf(BytesView message);
  // private_key of identity.json: standard base64 of the key message.
  static Result<PrivateKey> from_base64(std::string_view text);

  KeyType type() const;
  Bytes protobuf() const;
  std::string base64() const;
  const PublicKey& public_key() const;
  PeerId peer_id() const { return public_key().peer_id(); }
  Bytes sign(BytesView message) const;

 private:
  struct Secret;
  explicit PrivateKey(std::shared_ptr<const Secret> secret) : secret_(std::move(secret)) {}
  static Result<PrivateKey> read_ed25519(BytesView data);
  static Result<PrivateKey> read_rsa(BytesView data);

  std::shared_ptr<const Secret> secret_;
};

}  // namespace ica
