#include "common/crypto/noise.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

namespace {

NoiseKey key_of(uint8_t fill) {
  NoiseKey key;
  key.fill(fill);
  return key;
}

BytesView bytes_of(const NoiseKey& key) {
  return view(key.data(), key.size());
}

NoiseHandshake::Options options(NoiseHandshake::Role role) {
  NoiseHandshake::Options out;
  out.role = role;
  out.muxers = {"/yamux/1.0.0"};
  out.static_secret = key_of(1);
  out.ephemeral_secret = key_of(2);
  return out;
}

const PrivateKey& identity() {
  static const PrivateKey key = PrivateKey::from_seed(std::string(32, 's'));
  return key;
}

// Somebody answers who knows Noise and puts `payload` where the identity belongs.
void malicious_responder(BytesView payload) {
  NoiseHandshake victim(identity(), options(NoiseHandshake::Role::Initiator));
  const Bytes first = victim.write().value();
  NoiseSymmetric symmetric((BytesView()));
  symmetric.mix_hash(first);
  symmetric.mix_hash("");
  const NoiseKey ephemeral = x25519_public(key_of(3));
  Bytes answer(bytes_of(ephemeral));
  symmetric.mix_hash(answer);
  symmetric.mix_key(x25519(key_of(3), first).value());
  symmetric.encrypt_and_hash(bytes_of(x25519_public(key_of(4))), answer);
  symmetric.mix_key(x25519(key_of(4), first).value());
  symmetric.encrypt_and_hash(payload, answer);
  if (victim.read(answer).has_value()) {
    // Only a signature by the key that was named gets here.
    ICA_ASSERT(victim.write().has_value());
    ICA_ASSERT(victim.done());
    ICA_ASSERT(!victim.finish().remote_peer.empty());
  }
}

}  // namespace

ICA_FUZZ(BytesView input) {
  if (input.empty()) {
    return;
  }
  const char kind = input[0];
  input.remove_prefix(1);
  switch (kind % 3) {
    case 0: {
      NoiseHandshake responder(identity(), options(NoiseHandshake::Role::Responder));
      if (responder.read(input.substr(0, 40)).has_value() && responder.write().has_value()) {
        ICA_ASSERT(!responder.read(input.substr(0, 300)).has_value());
      }
      break;
    }
    case 1: {
      NoiseHandshake initiator(identity(), options(NoiseHandshake::Role::Initiator));
      ICA_ASSERT(initiator.write().has_value());
      (void)initiator.read(input);
      break;
    }
    default:
      malicious_responder(input.substr(0, 4096));
      break;
  }
}
