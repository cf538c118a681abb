#include "common/crypto/noise.h"

#include <algorithm>
#include <sodium.h>

#include "common/codec/pbwire.h"
#include "common/crypto/random.h"

namespace ica {

namespace {

constexpr size_t kPoint = 32;
constexpr std::string_view kSignaturePrefix = "noise-libp2p-static-key:";

constexpr uint32_t kIdentityKey = 1;
constexpr uint32_t kIdentitySignature = 2;
constexpr uint32_t kExtensions = 4;
constexpr uint32_t kStreamMuxers = 2;
constexpr size_t kMaxMuxers = 32;

NoiseKey random_key() {
  NoiseKey key;
  Bytes bytes = random_bytes(key.size());
  std::copy(bytes.begin(), bytes.end(), key.begin());
  wipe(bytes);
  return key;
}

BytesView bytes_of(const NoiseKey& key) {
  return view(key.data(), key.size());
}

tl::unexpected<Error> protocol(std::string_view why) {
  return fail(Code::Protocol, "noise: {}", why);
}

}  // namespace

NoiseHandshake::NoiseHandshake(PrivateKey identity, Options options)
    : identity_(std::move(identity)),
      options_(std::move(options)),
      symmetric_(BytesView()),
      static_secret_(options_.static_secret.value_or(random_key())),
      ephemeral_secret_(options_.ephemeral_secret.value_or(random_key())) {}

NoiseHandshake::~NoiseHandshake() {
  sodium_memzero(static_secret_.data(), static_secret_.size());
  sodium_memzero(ephemeral_secret_.data(), ephemeral_secret_.size());
}

bool NoiseHandshake::our_turn() const {
  return !done() && (step_ % 2 == 0) == initiator();
}

Status NoiseHandshake::mix(const NoiseKey& secret, BytesView public_key) {
  TRY(const NoiseKey shared, x25519(secret, public_key));
  symmetric_.mix_key(shared);
  return {};
}

Bytes NoiseHandshake::our_payload() const {
  Bytes signed_text(kSignaturePrefix);
  signed_text.append(bytes_of(x25519_public(static_secret_)));
  Bytes out;
  PbWriter w(out);
  w.bytes(kIdentityKey, identity_.public_key().protobuf());
  w.bytes(kIdentitySignature, identity_.sign(signed_text));
  if (!options_.muxers.empty()) {
    w.message(kExtensions, [&](PbWriter& extensions) {
      for (const std::string& muxer : options_.muxers) {
        extensions.bytes(kStreamMuxers, muxer);
      }
    });
  }
  return out;
}

Result<Bytes> NoiseHandshake::write() {
  ICA_ASSERT(our_turn());
  Bytes out;
  switch (step_) {
    case 0: {  // -> e
      const NoiseKey e = x25519_public(ephemeral_secret_);
      out.append(bytes_of(e));
      symmetric_.mix_hash(bytes_of(e));
      symmetric_.encrypt_and_hash({}, out);
      break;
    }
    case 1: {  // <- e, ee, s, es
      const NoiseKey e = x25519_public(ephemeral_secret_);
      out.append(bytes_of(e));
      symmetric_.mix_hash(bytes_of(e));
      TRY_VOID(mix(ephemeral_secret_, remote_ephemeral_));
      symmetric_.encrypt_and_hash(bytes_of(x25519_public(static_secret_)), out);
      TRY_VOID(mix(static_secret_, remote_ephemeral_));
      symmetric_.encrypt_and_hash(our_payload(), out);
      break;
    }
    default:  // -> s, se
      symmetric_.encrypt_and_hash(bytes_of(x25519_public(static_secret_)), out);
      TRY_VOID(mix(static_secret_, remote_ephemeral_));
      symmetric_.encrypt_and_hash(our_payload(), out);
      break;
  }
  ++step_;
  return out;
}

Result<BytesView> NoiseHandshake::take(BytesView& in, size_t count) const {
  if (in.size() < count) {
    return protocol("handshake message too short");
  }
  const BytesView out = in.substr(0, count);
  in.remove_prefix(count);
  return out;
}

Status NoiseHandshake::read(BytesView message) {
  ICA_ASSERT(!done() && !our_turn());
  if (message.size() > kNoiseMaxMessage) {
    return protocol("handshake message too long");
  }
  BytesView rest = message;
  Bytes payload;
  switch (step_) {
    case 0: {  // -> e
      TRY(const BytesView e, take(rest, kPoint));
      remote_ephemeral_ = Bytes(e);
      symmetric_.mix_hash(e);
      // A payload in clear has no meaning to us, but it belongs to the hash.
      TRY_VOID(symmetric_.decrypt_and_hash(rest, payload));
      break;
    }
    case 1: {  // <- e, ee, s, es
      TRY(const BytesView e, take(rest, kPoint));
      remote_ephemeral_ = Bytes(e);
      symmetric_.mix_hash(e);
      TRY_VOID(mix(ephemeral_secret_, e));
      TRY(const BytesView s, take(rest, kPoint + NoiseCipher::kTag));
      TRY_VOID(symmetric_.decrypt_and_hash(s, remote_static_));
      TRY_VOID(mix(ephemeral_secret_, remote_static_));
      TRY_VOID(symmetric_.decrypt_and_hash(rest, payload));
      TRY_VOID(read_payload(payload));
      break;
    }
    default: {  // -> s, se
      TRY(const BytesView s, take(rest, kPoint + NoiseCipher::kTag));
      TRY_VOID(symmetric_.decrypt_and_hash(s, remote_static_));
      TRY_VOID(mix(ephemeral_secret_, remote_static_));
      TRY_VOID(symmetric_.decrypt_and_hash(rest, payload));
      TRY_VOID(read_payload(payload));
      break;
    }
  }
  ++step_;
  return {};
}

Status NoiseHandshake::read_payload(BytesView payload) {
  BytesView key;
  BytesView signature;
  PbReader in(payload);
  while (in.next()) {
    switch (in.field()) {
      case kIdentityKey:
        key = in.bytes();
        break;
      case kIdentitySignature:
        signature = in.bytes();
        break;
      case kExtensions: {
        PbReader extensions(in.bytes());
        while (extensions.next()) {
          if (extensions.field() == kStreamMuxers && remote_muxers_.size() < kMaxMuxers) {
            remote_muxers_.emplace_back(extensions.bytes());
          }
        }
        if (!extensions.ok()) {
          return protocol("malformed handshake extensions");
        }
        break;
      }
      default:
        break;
    }
  }
  if (!in.ok()) {
    return protocol("malformed handshake payload");
  }
  auto read = PublicKey::from_protobuf(key);
  if (!read.has_value()) {
    return protocol(read.error().message());
  }
  Bytes signed_text(kSignaturePrefix);
  signed_text.append(remote_static_);
  if (!read->verify(signed_text, signature)) {
    return protocol("handshake signature invalid");
  }
  if (options_.expected_peer.has_value() && read->peer_id() != *options_.expected_peer) {
    return protocol(fmt::format("peer id mismatch: expected {}, but remote key matches {}",
                                options_.expected_peer->text(), read->peer_id().text()));
  }
  remote_key_ = std::move(*read);
  return {};
}

std::string NoiseHandshake::agreed_muxer() const {
  const auto& first = initiator() ? options_.muxers : remote_muxers_;
  const auto& second = initiator() ? remote_muxers_ : options_.muxers;
  for (const std::string& muxer : first) {
    if (std::find(second.begin(), second.end(), muxer) != second.end()) {
      return muxer;
    }
  }
  return {};
}

NoiseSession NoiseHandshake::finish() {
  ICA_ASSERT(done() && remote_key_.has_value());
  const auto [forward, backward] = symmetric_.split();
  PeerId peer = remote_key_->peer_id();
  NoiseSession session{*std::move(remote_key_),
                       std::move(peer),
                       agreed_muxer(),
                       NoiseCipher(initiator() ? forward : backward),
                       NoiseCipher(initiator() ? backward : forward),
                       symmetric_.hash()};
  remote_key_.reset();
  return session;
}

void noise_seal_frames(NoiseCipher& cipher, BytesView plain, Bytes& out) {
  do {
    const BytesView chunk = plain.substr(0, kNoiseMaxPlain);
    plain.remove_prefix(chunk.size());
    const size_t length = chunk.size() + NoiseCipher::kTag;
    out.push_back(static_cast<char>(length >> 8));
    out.push_back(static_cast<char>(length));
    cipher.seal(chunk, {}, out);
  } while (!plain.empty());
}

}  // namespace ica
