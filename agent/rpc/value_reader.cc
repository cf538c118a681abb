#include "agent/rpc/value_reader.h"

namespace ica::rpc {

constexpr size_t kPiece = 64 << 10;

Result<std::optional<BytesView>> ValueReader::buffered(size_t max_bytes) {
  if (!scanner_) {
    scanner_.emplace(max_bytes);
  }
  TRY(const bool complete, scanner_->scan(BytesView(buffer_).substr(at_)));
  if (!complete) {
    return std::optional<BytesView>();
  }
  const BytesView value = BytesView(buffer_).substr(at_, scanner_->size());
  at_ += value.size();
  scanner_.reset();
  return std::optional(value);
}

Task<Result<std::optional<BytesView>>> ValueReader::next(size_t max_bytes) {
  while (true) {
    auto value = buffered(max_bytes);
    if (!value || value->has_value()) {
      co_return value;
    }
    // Moving the rest costs no more than reading what was in front of it.
    if (at_ >= buffer_.size() / 2) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    auto piece = co_await stream_->read_some(kPiece);
    if (!piece) {
      co_return fail(std::move(piece.error()));
    }
    if (piece->empty()) {
      if (at_ == buffer_.size()) {
        co_return std::optional<BytesView>();
      }
      co_return fail(Code::Protocol, "unexpected EOF");
    }
    if (buffer_.empty()) {
      buffer_ = std::move(*piece);
    } else {
      buffer_ += *piece;
    }
  }
}

}  // namespace ica::rpc
