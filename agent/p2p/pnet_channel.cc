#include "agent/p2p/pnet_channel.h"

#include "agent/p2p/multistream.h"
#include "common/crypto/random.h"

namespace ica::p2p {

PnetChannel::PnetChannel(ChannelPtr inner, std::vector<Bytes> secrets, Role role)
    : inner_(std::move(inner)), secrets_(std::move(secrets)) {
  ICA_ASSERT(!secrets_.empty());
  if (role == Role::Dialler) {
    secrets_.resize(1);
  }
}

Task<Status> PnetChannel::recognise() {
  const Bytes header = multistream_message(kMultistreamHeader);
  Bytes raw;
  while (raw.size() < kPskNonceBytes + header.size()) {
    auto piece = co_await inner_->read_some(kPskNonceBytes + header.size() - raw.size());
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return fail(Code::Closed, "closed before a word was said");
    }
    raw += *piece;
  }
  const BytesView nonce = BytesView(raw).substr(0, kPskNonceBytes);
  for (size_t i = 0; i < secrets_.size(); ++i) {
    PskStream stream(secrets_[i], nonce);
    Bytes clear = raw.substr(kPskNonceBytes);
    stream.apply(clear);
    if (clear == header) {
      secret_ = i;
      receive_.emplace(std::move(stream));
      pending_ = std::move(clear);
      co_return Status();
    }
  }
  co_return fail(Code::PermissionDenied, "no common secret, or not a cluster peer");
}

Task<Result<Bytes>> PnetChannel::read_some(size_t limit) {
  if (!receive_) {
    auto recognised = co_await recognise();
    if (!recognised) {
      co_return fail(std::move(recognised).error());
    }
  }
  if (!pending_.empty()) {
    Bytes piece = pending_.substr(0, limit);
    pending_.erase(0, piece.size());
    co_return piece;
  }
  auto piece = co_await inner_->read_some(limit);
  if (piece) {
    receive_->apply(*piece);
  }
  co_return piece;
}

Task<Status> PnetChannel::write(Bytes data) {
  if (!send_) {
    const Bytes nonce = random_bytes(kPskNonceBytes);
    send_.emplace(secrets_[secret_], nonce);
    send_->apply(data);
    // With the first bytes in one write; the other side cannot tell the difference.
    data.insert(0, nonce);
  } else {
    send_->apply(data);
  }
  co_return co_await inner_->write(std::move(data));
}

}  // namespace ica::p2p
