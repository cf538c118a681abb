#pragma once

#include <memory>
#include <string>

#include "agent/p2p/channel.h"
#include "common/crypto/noise.h"

namespace ica::p2p {

// The encrypted channel after a Noise handshake (facts wire.md 3.2). While it is idle it holds no
// buffer.
class NoiseChannel final : public Channel {
 public:
  // `leftover`: bytes read from `inner` behind the handshake.
  NoiseChannel(ChannelPtr inner, NoiseCipher send, NoiseCipher receive, Bytes leftover);

  Task<Result<Bytes>> read_some(size_t limit) override;
  Task<Status> write(Bytes data) override;
  void close() override { inner_->close(); }

 private:
  // Reads until `count` bytes are in sealed_; false at a clean end.
  Task<Result<bool>> fill(size_t count);

  ChannelPtr inner_;
  NoiseCipher send_;
  NoiseCipher receive_;
  Bytes sealed_;
  size_t at_ = 0;  // start of what is unread in sealed_
  Bytes plain_;
  size_t plain_at_ = 0;
};

struct NoiseOutcome {
  std::shared_ptr<NoiseChannel> channel;
  PeerId peer;
  std::string muxer;  // empty: to be negotiated inside
};

// Runs the handshake over `inner`, whose security protocol has been agreed to be /noise. Errors:
// Protocol (nonsense, another peer than expected, a wrong signature), Closed.
Task<Result<NoiseOutcome>> noise_handshake(std::shared_ptr<BufferedChannel> inner,
                                           PrivateKey identity, NoiseHandshake::Options options);

}  // namespace ica::p2p
