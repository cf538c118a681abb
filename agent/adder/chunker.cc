#include "agent/adder/chunker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "agent/adder/buzhash_table.h"

namespace ica::adder {

namespace {

constexpr uint64_t kDefaultSize = 256 * 1024;
// A block of 2 MiB less the room that its framing needs.
constexpr uint64_t kMaxSize = 2 * 1024 * 1024 - 256;

// A chunk that is being put together, where its block will be.
class Growing {
 public:
  explicit Growing(ChunkRoom room) : room_(room) {}

  // Of content.
  size_t size() const { return bytes_.size() - std::min(bytes_.size(), room_.front); }
  // `expected`: what the chunk will hold in the end, as far as that is known.
  void append(BytesView piece, size_t expected) {
    if (bytes_.empty()) {
      bytes_.reserve(room_.front + std::max(expected, piece.size()) + room_.back);
      bytes_.resize(room_.front);
    }
    bytes_.append(piece);
  }
  Bytes take() { return std::exchange(bytes_, Bytes()); }

 private:
  const ChunkRoom room_;
  Bytes bytes_;
};

class SizeChunker final : public Chunker {
 public:
  SizeChunker(size_t size, ChunkRoom room) : size_(size), pending_(room) {}

  void feed(BytesView piece, const OnChunk& on_chunk) override {
    while (!piece.empty()) {
      const BytesView part = piece.substr(0, size_ - pending_.size());
      piece.remove_prefix(part.size());
      // A file's first piece may be all of it: small files hold no more than they need.
      pending_.append(part, begun_ ? size_ : 0);
      begun_ = true;
      if (pending_.size() == size_) {
        on_chunk(pending_.take());
      }
    }
  }

  void finish(const OnChunk& on_chunk) override {
    if (pending_.size() > 0) {
      on_chunk(pending_.take());
    }
    begun_ = false;
  }

 private:
  const size_t size_;
  Growing pending_;
  bool begun_ = false;  // the content is known to go on
};

// Polynomials over GF(2), for Rabin fingerprints.
using Polynomial = uint64_t;
constexpr Polynomial kIpfsPolynomial = 17437180132763653ULL;  // irreducible, of degree 53
constexpr size_t kWindow = 16;

constexpr int degree(Polynomial p) {
  return 63 - std::countl_zero(p);
}

constexpr Polynomial modulo(Polynomial value, Polynomial by) {
  while (value != 0 && degree(value) >= degree(by)) {
    value ^= by << (degree(value) - degree(by));
  }
  return value;
}

struct RabinTables {
  std::array<Polynomial, 256> out{};  // takes the byte that leaves the window away
  std::array<Polynomial, 256> mod{};  // reduces after a shift by eight bits

  RabinTables() {
    const int k = degree(kIpfsPolynomial);
    for (uint64_t b = 0; b < 256; ++b) {
      Polynomial h = modulo(b, kIpfsPolynomial);
      for (size_t i = 0; i + 1 < kWindow; ++i) {
        h = modulo(h << 8, kIpfsPolynomial);
      }
      out[b] = h;
      mod[b] = modulo(b << k, kIpfsPolynomial) | (b << k);
    }
  }
};

class RabinChunker final : public Chunker {
 public:
  RabinChunker(uint64_t min, uint64_t average, uint64_t max, ChunkRoom room)
      : min_(min),
        max_(max),
        mask_((uint64_t{1} << static_cast<unsigned>(std::log2(static_cast<double>(average)))) - 1),
        pending_(room) {
    restart();
  }

  void feed(BytesView piece, const OnChunk& on_chunk) override {
    size_t start = 0;
    for (size_t i = 0; i < piece.size(); ++i) {
      ++count_;
      // The window starts to slide just before the smallest allowed cut: earlier bytes cannot
      // matter.
      if (count_ + kWindow <= min_) {
        continue;
      }
      slide(static_cast<uint8_t>(piece[i]));
      if (count_ >= min_ && ((digest_ & mask_) == 0 || count_ >= max_)) {
        pending_.append(piece.substr(start, i + 1 - start), 0);
        on_chunk(pending_.take());
        start = i + 1;
        restart();
      }
    }
    if (start < piece.size()) {
      pending_.append(piece.substr(start), 0);
    }
  }

  void finish(const OnChunk& on_chunk) override {
    if (pending_.size() > 0) {
      on_chunk(pending_.take());
    }
    restart();
  }

 private:
  void restart() {
    window_.fill(0);
    at_ = 0;
    digest_ = 0;
    count_ = 0;
    slide(1);
  }

  void slide(uint8_t b) {
    static const RabinTables kTables;
    digest_ ^= kTables.out[window_[at_]];
    window_[at_] = b;
    at_ = (at_ + 1) % kWindow;
    const size_t top = digest_ >> (degree(kIpfsPolynomial) - 8);
    digest_ = ((digest_ << 8) | b) ^ kTables.mod[top];
  }

  const uint64_t min_;
  const uint64_t max_;
  const uint64_t mask_;
  std::array<uint8_t, kWindow> window_{};
  size_t at_ = 0;
  Polynomial digest_ = 0;
  uint64_t count_ = 0;
  Growing pending_;
};

class BuzhashChunker final : public Chunker {
 public:
  explicit BuzhashChunker(ChunkRoom room) : room_(room) {}

  void feed(BytesView piece, const OnChunk& on_chunk) override {
    // boxo looks at full buffers of kMax bytes (fewer only at the end), so do we: a cut depends on
    // no more than what such a buffer holds.
    while (!piece.empty()) {
      const size_t take = std::min(kMax - pending_.size(), piece.size());
      pending_.append(piece.substr(0, take));
      piece.remove_prefix(take);
      if (pending_.size() == kMax) {
        cut(on_chunk);
      }
    }
  }

  void finish(const OnChunk& on_chunk) override {
    while (pending_.size() >= kMin) {
      cut(on_chunk);
    }
    if (!pending_.empty()) {
      hand_over(pending_.size(), on_chunk);
    }
  }

 private:
  static constexpr size_t kMin = 128 << 10;
  static constexpr size_t kMax = 512 << 10;
  static constexpr uint32_t kMask = (1U << 17) - 1;
  static constexpr size_t kHashed = 32;

  void cut(const OnChunk& on_chunk) {
    const uint8_t* data = u8(BytesView(pending_));
    uint32_t state = 0;
    for (size_t i = kMin - kHashed; i < kMin; ++i) {
      state = std::rotl(state, 1) ^ kBuzhashTable[data[i]];
    }
    size_t i = kMin - kHashed;
    // kMin <= size, so that there is always a last position to look at.
    const size_t last = pending_.size() - kHashed - 1;
    for (; i <= last && pending_.size() > kHashed; ++i) {
      if ((state & kMask) == 0) {
        break;
      }
      state = std::rotl(state, 1) ^ kBuzhashTable[data[i]] ^ kBuzhashTable[data[i + kHashed]];
    }
    hand_over(i + kHashed, on_chunk);
  }

  void hand_over(size_t length, const OnChunk& on_chunk) {
    Growing chunk(room_);
    chunk.append(BytesView(pending_).substr(0, length), length);
    pending_.erase(0, length);
    on_chunk(chunk.take());
  }

  const ChunkRoom room_;
  Bytes pending_;
};

// As Go's strconv.Atoi, with its words.
Result<int64_t> parse_int(std::string_view text) {
  int64_t value = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end.ec == std::errc::result_out_of_range) {
    return fail(Code::Internal, "strconv.Atoi: parsing \"{}\": value out of range", text);
  }
  if (digits.empty() || end.ec != std::errc() || end.ptr != digits.data() + digits.size()) {
    return fail(Code::Internal, "strconv.Atoi: parsing \"{}\": invalid syntax", text);
  }
  return value;
}

tl::unexpected<Error> too_large() {
  return fail(Code::Internal, "chunker parameters may not exceed the maximum chunk size of {}",
              kMaxSize);
}

// One of the three numbers of rabin-MIN-AVG-MAX, which may be labelled: "min:16".
Result<int64_t> parse_labelled(std::string_view text, std::string_view label,
                               std::string_view position) {
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    if (text.substr(0, colon) != label) {
      return fail(Code::Internal, "{} label must be {}", position, label);
    }
    text = text.substr(text.rfind(':') + 1);
  }
  return parse_int(text);
}

Result<std::unique_ptr<Chunker>> make_rabin(const std::vector<std::string_view>& parts,
                                            ChunkRoom room) {
  if (parts.size() == 1) {
    return std::make_unique<RabinChunker>(kDefaultSize / 3, kDefaultSize,
                                          kDefaultSize + kDefaultSize / 2, room);
  }
  if (parts.size() == 2) {
    TRY(const int64_t average, parse_int(parts[1]));
    if (static_cast<double>(average) * 1.5 > static_cast<double>(kMaxSize)) {
      return too_large();
    }
    // The reference would panic or loop on what is too small for its window.
    if (average < static_cast<int64_t>(3 * kWindow)) {
      return fail(Code::Internal, "rabin min must be greater than 16");
    }
    const auto size = static_cast<uint64_t>(average);
    return std::make_unique<RabinChunker>(size / 3, size, size + size / 2, room);
  }
  if (parts.size() != 4) {
    return fail(Code::Internal,
                "incorrect format (expected 'rabin' 'rabin-[avg]' or 'rabin-[min]-[avg]-[max]'");
  }
  TRY(const int64_t min, parse_labelled(parts[1], "min", "first"));
  if (min < static_cast<int64_t>(kWindow)) {
    return fail(Code::Internal, "rabin min must be greater than 16");
  }
  TRY(const int64_t average, parse_labelled(parts[2], "avg", "second"));
  TRY(const int64_t max, parse_labelled(parts[3], "max", "final"));
  if (min >= average) {
    return fail(Code::Internal, "incorrect format: rabin-min must be smaller than rabin-avg");
  }
  if (average >= max) {
    return fail(Code::Internal, "incorrect format: rabin-avg must be smaller than rabin-max");
  }
  if (static_cast<uint64_t>(max) > kMaxSize) {
    return too_large();
  }
  return std::make_unique<RabinChunker>(static_cast<uint64_t>(min), static_cast<uint64_t>(average),
                                        static_cast<uint64_t>(max), room);
}

}  // namespace

Result<std::unique_ptr<Chunker>> make_chunker(std::string_view spec, ChunkRoom room) {
  if (spec.empty() || spec == "default") {
    return std::make_unique<SizeChunker>(kDefaultSize, room);
  }
  std::vector<std::string_view> parts;
  for (std::string_view rest = spec;;) {
    const size_t dash = rest.find('-');
    parts.push_back(rest.substr(0, dash));
    if (dash == std::string_view::npos) {
      break;
    }
    rest = rest.substr(dash + 1);
  }
  if (parts[0] == "size") {
    if (parts.size() != 2) {
      return fail(Code::Internal, "incorrect chunker string format (expected size-{{size}})");
    }
    TRY(const int64_t size, parse_int(parts[1]));
    if (size <= 0) {
      return fail(Code::Internal, "chunker size must be greater than 0");
    }
    if (static_cast<uint64_t>(size) > kMaxSize) {
      return too_large();
    }
    return std::make_unique<SizeChunker>(static_cast<size_t>(size), room);
  }
  if (parts[0] == "rabin") {
    return make_rabin(parts, room);
  }
  if (parts[0] == "buzhash") {
    return std::make_unique<BuzhashChunker>(room);
  }
  return fail(Code::Internal, "unrecognized chunker option: {}", spec);
}

}  // namespace ica::adder
