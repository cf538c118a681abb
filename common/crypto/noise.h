#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/peer_id.h"
#include "common/crypto/key.h"
#include "common/crypto/noise_symmetric.h"

namespace ica {

// libp2p's Noise: the XX handshake that proves both identities and agrees on the muxer, then
// frames. Nothing here does I/O. On the wire every message has its length in front, two bytes,
// big-endian.
inline constexpr size_t kNoiseMaxMessage = 65535;
inline constexpr size_t kNoiseMaxPlain = kNoiseMaxMessage - NoiseCipher::kTag;
inline constexpr size_t kNoiseLengthBytes = 2;

// What a finished handshake has agreed on.
struct NoiseSession {
  PublicKey remote_key;
  PeerId remote_peer;
  std::string muxer;  // "/yamux/1.0.0"; empty: to be negotiated inside the channel
  NoiseCipher send;
  NoiseCipher receive;
  Bytes handshake_hash;
};

// One side of a handshake. The initiator calls write, read, write; the responder read, write, read.
// Any error ends it: close the connection. Thread-safety: none.
class NoiseHandshake {
 public:
  enum class Role { Initiator, Responder };

  struct Options {
    Role role = Role::Initiator;
    std::vector<std::string> muxers;  // in order of preference; the initiator's order counts
    // When given, another identity on the other side is an error.
    std::optional<PeerId> expected_peer;
    // Fixed keys, for tests; random ones when absent.
    std::optional<NoiseKey> static_secret;
    std::optional<NoiseKey> ephemeral_secret;
  };

  NoiseHandshake(PrivateKey identity, Options options);
  ~NoiseHandshake();

  bool done() const { return step_ == 3; }
  // Whether the next step is ours; else a message of the other side is awaited.
  bool our_turn() const;
  // The next message, without its length.
  Result<Bytes> write();
  // A message of the other side, without its length.
  Status read(BytesView message);
  // Once done(), and only once.
  NoiseSession finish();

 private:
  bool initiator() const { return options_.role == Role::Initiator; }
  Status mix(const NoiseKey& secret, BytesView public_key);
  Bytes our_payload() const;
  Status read_payload(BytesView payload);
  Result<BytesView> take(BytesView& in, size_t count) const;
  std::string agreed_muxer() const;

  PrivateKey identity_;
  Options options_;
  NoiseSymmetric symmetric_;
  NoiseKey static_secret_;
  NoiseKey ephemeral_secret_;
  Bytes remote_static_;
  Bytes remote_ephemeral_;
  std::optional<PublicKey> remote_key_;
  std::vector<std::string> remote_muxers_;
  int step_ = 0;  // messages so far
};

// Seals `plain` into as many frames as it takes, each with its length, appended to `out`.
void noise_seal_frames(NoiseCipher& cipher, BytesView plain, Bytes& out);

}  // namespace ica
