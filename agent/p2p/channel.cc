#include "agent/p2p/channel.h"

#include <algorithm>

namespace ica::p2p {

Task<Result<Bytes>> BufferedChannel::read_some(size_t limit) {
  if (at_ < pending_.size()) {
    if (at_ == 0 && pending_.size() <= limit) {
      co_return std::exchange(pending_, Bytes());
    }
    Bytes piece = pending_.substr(at_, limit);
    at_ += piece.size();
    if (at_ == pending_.size()) {
      pending_.clear();
      at_ = 0;
    }
    co_return piece;
  }
  co_return co_await inner_->read_some(limit);
}

Task<Status> BufferedChannel::write(Bytes data) {
  co_return co_await inner_->write(std::move(data));
}

Task<Result<Bytes>> BufferedChannel::read_exactly(size_t count) {
  // Read-ahead keeps small reads cheap; what is left over stays for the next reader.
  constexpr size_t kReadAhead = 4096;
  while (pending_.size() - at_ < count) {
    const size_t missing = count - (pending_.size() - at_);
    auto piece = co_await inner_->read_some(std::max(missing, kReadAhead));
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return fail(Code::Closed, "closed in the middle of a message");
    }
    pending_.erase(0, at_);
    at_ = 0;
    pending_ += *piece;
  }
  Bytes out = pending_.substr(at_, count);
  at_ += count;
  if (at_ == pending_.size()) {
    pending_.clear();
    at_ = 0;
  }
  co_return out;
}

Task<Result<bool>> BufferedChannel::at_end() {
  if (at_ < pending_.size()) {
    co_return false;
  }
  auto piece = co_await inner_->read_some(4096);
  if (!piece) {
    co_return fail(std::move(piece).error());
  }
  pending_ = *std::move(piece);
  at_ = 0;
  const bool ended = pending_.empty();
  co_return ended;
}

std::pair<ChannelPtr, Bytes> BufferedChannel::release() {
  Bytes rest = pending_.substr(at_);
  Bytes().swap(pending_);
  at_ = 0;
  return {std::exchange(inner_, nullptr), std::move(rest)};
}

Task<Result<uint64_t>> BufferedChannel::read_varint(uint64_t max) {
  uint64_t value = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    auto byte = co_await read_exactly(1);
    if (!byte) {
      co_return fail(std::move(byte).error());
    }
    const auto b = static_cast<uint8_t>((*byte)[0]);
    value |= static_cast<uint64_t>(b & 0x7f) << shift;
    if (value > max) {
      co_return fail(Code::TooLarge, "length {} is over the limit of {}", value, max);
    }
    if ((b & 0x80) == 0) {
      if (b == 0 && shift > 0) {
        co_return fail(Code::Protocol, "varint is not minimal");
      }
      co_return value;
    }
  }
  co_return fail(Code::Protocol, "varint is too long");
}

}  // namespace ica::p2p
