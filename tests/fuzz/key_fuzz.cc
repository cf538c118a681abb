#include "common/crypto/key.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto key = PublicKey::from_protobuf(input); key.has_value()) {
    ICA_ASSERT(PublicKey::from_protobuf(key->protobuf()).value() == *key);
    (void)key->peer_id();
    ICA_ASSERT(!key->verify("message", input));
  }
  if (const auto key = PrivateKey::from_protobuf(input); key.has_value()) {
    ICA_ASSERT(PrivateKey::from_base64(key->base64()).value().peer_id() == key->peer_id());
    if (key->type() == KeyType::Ed25519) {
      ICA_ASSERT(key->public_key().verify("message", key->sign("message")));
    }
  }
  (void)PrivateKey::from_base64(input);
}
