#include "common/crypto/keccak.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace ica {

namespace {

// Lane (x, y) of the state is at x + 5 * y; bytes are little-endian in a lane.
using State = std::array<uint64_t, 25>;
constexpr size_t kStateBytes = 200;
constexpr int kRounds = 24;

// Round constants: the bits of a linear feedback shift register (x^8 + x^6 + x^5 + x^4 + 1) at the
// positions 2^j - 1.
constexpr std::array<uint64_t, kRounds> round_constants() {
  std::array<uint64_t, kRounds> out{};
  uint8_t shift = 1;
  for (uint64_t& constant : out) {
    for (int j = 0; j < 7; ++j) {
      if ((shift & 1) != 0) {
        constant |= uint64_t{1} << ((1 << j) - 1);
      }
      const bool carry = (shift & 0x80) != 0;
      shift = static_cast<uint8_t>((shift << 1) ^ (carry ? 0x71 : 0));
    }
  }
  return out;
}
constexpr auto kConstants = round_constants();

// Rotates the lanes and moves them to their new places (steps rho and pi), along the one cycle that
// all lanes but (0, 0) are on.
void rotate_and_move(State& a) {
  size_t x = 1;
  size_t y = 0;
  uint64_t moving = a[1];
  for (int t = 0; t < 24; ++t) {
    const size_t new_y = (2 * x + 3 * y) % 5;
    x = y;
    y = new_y;
    const uint64_t here = a[x + 5 * y];
    a[x + 5 * y] = std::rotl(moving, ((t + 1) * (t + 2) / 2) % 64);
    moving = here;
  }
}

void permute(State& a) {
  for (const uint64_t constant : kConstants) {
    std::array<uint64_t, 5> column{};
    for (size_t i = 0; i < a.size(); ++i) {
      column[i % 5] ^= a[i];
    }
    for (size_t i = 0; i < a.size(); ++i) {
      a[i] ^= column[(i + 4) % 5] ^ std::rotl(column[(i + 1) % 5], 1);
    }
    rotate_and_move(a);
    for (size_t row = 0; row < 25; row += 5) {
      const std::array<uint64_t, 5> old = {a[row], a[row + 1], a[row + 2], a[row + 3], a[row + 4]};
      for (size_t x = 0; x < 5; ++x) {
        a[row + x] = old[x] ^ (~old[(x + 1) % 5] & old[(x + 2) % 5]);
      }
    }
    a[0] ^= constant;
  }
}

void absorb(State& a, const uint8_t* block, size_t rate) {
  static_assert(std::endian::native == std::endian::little);
  for (size_t i = 0; i < rate / 8; ++i) {
    uint64_t lane = 0;
    std::memcpy(&lane, block + 8 * i, 8);
    a[i] ^= lane;
  }
  permute(a);
}

}  // namespace

Bytes keccak(size_t length, BytesView data) {
  const size_t rate = kStateBytes - 2 * length;
  State state{};
  for (; data.size() >= rate; data.remove_prefix(rate)) {
    absorb(state, u8(data), rate);
  }
  std::array<uint8_t, kStateBytes> last{};
  std::memcpy(last.data(), data.data(), data.size());
  last[data.size()] ^= 0x01;
  last[rate - 1] ^= 0x80;
  absorb(state, last.data(), rate);
  Bytes out(length, '\0');
  std::memcpy(out.data(), state.data(), length);
  return out;
}

}  // namespace ica
