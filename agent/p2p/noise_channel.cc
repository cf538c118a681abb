#include "agent/p2p/noise_channel.h"

#include <algorithm>

namespace ica::p2p {

namespace {

// Enough for the largest frame, so that a bulk transfer takes about one read a frame.
constexpr size_t kReadAhead = kNoiseLengthBytes + kNoiseMaxMessage;

// Handshake messages are a few hundred bytes; a length over this is no handshake.
constexpr size_t kMaxHandshakeMessage = 8192;

size_t read_length(BytesView b) {
  return static_cast<size_t>(u8(b)[0]) << 8 | u8(b)[1];
}

}  // namespace

NoiseChannel::NoiseChannel(ChannelPtr inner, NoiseCipher send, NoiseCipher receive, Bytes leftover)
    : inner_(std::move(inner)), send_(send), receive_(receive), sealed_(std::move(leftover)) {}

Task<Result<bool>> NoiseChannel::fill(size_t count) {
  while (sealed_.size() - at_ < count) {
    auto piece = co_await inner_->read_some(kReadAhead);
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      if (at_ == sealed_.size()) {
        co_return false;
      }
      co_return fail(Code::Closed, "connection closed in the middle of a frame");
    }
    if (at_ == sealed_.size()) {
      sealed_ = *std::move(piece);
    } else {
      sealed_.erase(0, at_);
      sealed_ += *piece;
    }
    at_ = 0;
  }
  co_return true;
}

Task<Result<Bytes>> NoiseChannel::read_some(size_t limit) {
  // A frame may be empty; that is no end.
  while (plain_.empty()) {
    auto more = co_await fill(kNoiseLengthBytes);
    if (!more) {
      co_return fail(std::move(more).error());
    }
    if (!*more) {
      co_return Bytes();
    }
    const size_t length = read_length(BytesView(sealed_).substr(at_));
    more = co_await fill(kNoiseLengthBytes + length);
    if (!more) {
      co_return fail(std::move(more).error());
    }
    auto opened =
        receive_.open(BytesView(sealed_).substr(at_ + kNoiseLengthBytes, length), {}, plain_);
    if (!opened) {
      co_return fail(std::move(opened).error());
    }
    at_ += kNoiseLengthBytes + length;
    if (at_ == sealed_.size()) {
      Bytes().swap(sealed_);  // frees it, which an assignment would not
      at_ = 0;
    }
  }
  if (plain_at_ == 0 && plain_.size() <= limit) {
    co_return std::exchange(plain_, Bytes());
  }
  Bytes piece = plain_.substr(plain_at_, limit);
  plain_at_ += piece.size();
  if (plain_at_ == plain_.size()) {
    Bytes().swap(plain_);
    plain_at_ = 0;
  }
  co_return piece;
}

Task<Status> NoiseChannel::write(Bytes data) {
  Bytes sealed;
  const size_t frames = data.size() / kNoiseMaxPlain + 1;
  sealed.reserve(data.size() + frames * (kNoiseLengthBytes + NoiseCipher::kTag));
  noise_seal_frames(send_, data, sealed);
  Bytes().swap(data);
  co_return co_await inner_->write(std::move(sealed));
}

Task<Result<NoiseOutcome>> noise_handshake(std::shared_ptr<BufferedChannel> inner,
                                           PrivateKey identity, NoiseHandshake::Options options) {
  NoiseHandshake handshake(std::move(identity), std::move(options));
  while (!handshake.done()) {
    if (handshake.our_turn()) {
      auto message = handshake.write();
      if (!message) {
        co_return fail(std::move(message).error());
      }
      Bytes framed;
      framed.push_back(static_cast<char>(message->size() >> 8));
      framed.push_back(static_cast<char>(message->size()));
      framed += *message;
      auto written = co_await inner->write(std::move(framed));
      if (!written) {
        co_return fail(std::move(written).error());
      }
      continue;
    }
    auto length = co_await inner->read_exactly(kNoiseLengthBytes);
    if (!length) {
      co_return fail(std::move(length).error());
    }
    const size_t size = read_length(*length);
    if (size > kMaxHandshakeMessage) {
      co_return fail(Code::Protocol, "noise: handshake message of {} bytes", size);
    }
    auto message = co_await inner->read_exactly(size);
    if (!message) {
      co_return fail(std::move(message).error());
    }
    auto taken = handshake.read(*message);
    if (!taken) {
      co_return fail(std::move(taken).error());
    }
  }
  NoiseSession session = handshake.finish();
  NoiseOutcome outcome;
  outcome.peer = session.remote_peer;
  outcome.muxer = session.muxer;
  auto [below, leftover] = inner->release();
  outcome.channel = std::make_shared<NoiseChannel>(std::move(below), session.send, session.receive,
                                                   std::move(leftover));
  co_return outcome;
}

}  // namespace ica::p2p
