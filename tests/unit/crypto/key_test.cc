#include "common/crypto/key.h"

#include <doctest/doctest.h>

#include "common/codec/pbwire.h"
#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("key: identities of the reference") {
  const auto vectors = test::load_vectors("identity.json");
  REQUIRE(vectors["cases"].size() == 3);
  for (const auto& c : vectors["cases"]) {
    const PrivateKey key = PrivateKey::from_seed(test::hex_field(c, "seed_hex"));
    CHECK(key.type() == KeyType::Ed25519);
    CHECK(key.protobuf() == test::hex_field(c, "private_protobuf_hex"));
    CHECK(key.base64() == c["identity_json_private_key_base64"].get<std::string>());
    CHECK(key.public_key().protobuf() == test::hex_field(c, "public_protobuf_hex"));
    CHECK(key.public_key().data() == test::hex_field(c, "public_raw32_hex"));
    CHECK(key.peer_id().text() == c["peer_id_base58"].get<std::string>());
    CHECK(key.peer_id().bytes() == test::hex_field(c, "peer_id_bytes_hex"));
    const auto read = PrivateKey::from_base64(key.base64());
    REQUIRE(read.has_value());
    CHECK(read->public_key() == key.public_key());
    CHECK(PublicKey::from_peer_id(key.peer_id()).value() == key.public_key());
  }
}

TEST_CASE("key: keys of every kind made by go-libp2p") {
  const auto vectors = test::load_vectors("key-kinds.json");
  REQUIRE(vectors["keys"].size() == 4);
  for (const auto& c : vectors["keys"]) {
    const std::string kind = c["kind"];
    CAPTURE(kind);
    const auto key = PublicKey::from_protobuf(test::hex_field(c, "public_protobuf_hex"));
    REQUIRE_MESSAGE(key.has_value(), key.error().message());
    CHECK(key->peer_id().text() == c["peer_id"].get<std::string>());
    CHECK(key->protobuf() == test::hex_field(c, "public_protobuf_hex"));
    const std::string message = c["message"];
    Bytes signature = test::hex_field(c, "signature_hex");
    CHECK(key->verify(message, signature));
    CHECK_FALSE(key->verify(message + "!", signature));
    signature[signature.size() / 2] = static_cast<char>(signature[signature.size() / 2] ^ 1);
    CHECK_FALSE(key->verify(message, signature));
    CHECK_FALSE(key->verify(message, ""));
    if (key->type() != KeyType::Ed25519 && key->type() != KeyType::Secp256k1) {
      CHECK(PublicKey::from_peer_id(key->peer_id()).error().code() == Code::NotFound);
    }

    const auto secret = PrivateKey::from_base64(c["private_base64"].get<std::string>());
    if (kind == "rsa" || kind == "ed25519") {
      REQUIRE_MESSAGE(secret.has_value(), secret.error().message());
      CHECK(secret->public_key() == *key);
      CHECK(secret->base64() == c["private_base64"].get<std::string>());
      CHECK(secret->public_key().verify("x", secret->sign("x")));
      // Both kinds of signature are deterministic.
      CHECK(secret->sign(message) == test::hex_field(c, "signature_hex"));
    } else {
      CHECK(secret.error().code() == Code::Unsupported);
    }
  }
}

TEST_CASE("key: new ones sign, verify and differ") {
  const PrivateKey a = PrivateKey::generate();
  const PrivateKey b = PrivateKey::generate();
  CHECK(a.peer_id() != b.peer_id());
  const Bytes signature = a.sign("message");
  CHECK(a.public_key().verify("message", signature));
  CHECK_FALSE(b.public_key().verify("message", signature));
  CHECK(a.peer_id().text().starts_with("12D3KooW"));
  CHECK(PrivateKey::from_protobuf(a.protobuf()).value().peer_id() == a.peer_id());
}

TEST_CASE("key: what is no key") {
  const PrivateKey key = PrivateKey::generate();
  Bytes message = key.protobuf();
  CHECK_FALSE(PrivateKey::from_protobuf("").has_value());
  CHECK_FALSE(PrivateKey::from_protobuf("\x08\x01").has_value());
  CHECK_FALSE(PrivateKey::from_protobuf(message.substr(0, 67)).has_value());
  CHECK_FALSE(PrivateKey::from_base64("!").has_value());
  CHECK_FALSE(PrivateKey::from_base64("").has_value());
  // The public half of another key.
  Bytes wrong = message;
  wrong.back() = static_cast<char>(wrong.back() ^ 1);
  CHECK_FALSE(PrivateKey::from_protobuf(wrong).has_value());
  // The old form with the public key twice.
  Bytes old_data = message.substr(4) + key.public_key().data();
  Bytes old_form;
  PbWriter(old_form).varint(1, 1).bytes(2, old_data);
  CHECK(PrivateKey::from_protobuf(old_form).value().peer_id() == key.peer_id());
  old_data.back() = static_cast<char>(old_data.back() ^ 1);
  old_form.clear();
  PbWriter(old_form).varint(1, 1).bytes(2, old_data);
  CHECK_FALSE(PrivateKey::from_protobuf(old_form).has_value());

  CHECK_FALSE(PublicKey::from_protobuf("").has_value());
  for (const uint64_t type : {0, 1, 2, 3, 4, 99}) {
    Bytes junk;
    PbWriter(junk).varint(1, type).bytes(2, "junk");
    CHECK_FALSE(PublicKey::from_protobuf(junk).has_value());
    CHECK_FALSE(PrivateKey::from_protobuf(junk).has_value());
  }
  CHECK(PublicKey::from_protobuf(std::string(100'000, 'x')).error().code() == Code::TooLarge);
  CHECK_FALSE(PublicKey::from_peer_id(PeerId()).has_value());
}
