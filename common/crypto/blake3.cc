#include "common/crypto/blake3.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

// The tree of the BLAKE3 paper: chunks of 1,024 bytes are its leaves; a node's left side holds as
// many chunks as the largest power of two that leaves something for the right.
namespace ica {

namespace {

constexpr size_t kBlockBytes = 64;
constexpr size_t kChunkBytes = 1024;
constexpr int kRounds = 7;

enum Flag : uint32_t { kChunkStart = 1, kChunkEnd = 2, kParent = 4, kRoot = 8 };

using Words8 = std::array<uint32_t, 8>;
using Words16 = std::array<uint32_t, 16>;

constexpr Words8 kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr std::array<size_t, 16> kShuffle = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

void mix(Words16& v, size_t a, size_t b, size_t c, size_t d, uint32_t x, uint32_t y) {
  v[a] += v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] += v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

// One application of the compression function, not yet done: whether it is the root's is known
// only at the end of the data.
struct Step {
  Words8 chain = kStart;
  Words16 message{};
  uint64_t counter = 0;
  uint32_t length = kBlockBytes;
  uint32_t flags = 0;

  Words8 run(uint32_t more_flags = 0) const {
    Words16 v = {chain[0],
                 chain[1],
                 chain[2],
                 chain[3],
                 chain[4],
                 chain[5],
                 chain[6],
                 chain[7],
                 kStart[0],
                 kStart[1],
                 kStart[2],
                 kStart[3],
                 static_cast<uint32_t>(counter),
                 static_cast<uint32_t>(counter >> 32),
                 length,
                 flags | more_flags};
    Words16 m = message;
    for (int round = 0; round < kRounds; ++round) {
      for (size_t i = 0; i < 4; ++i) {
        mix(v, i, i + 4, i + 8, i + 12, m[2 * i], m[2 * i + 1]);
      }
      for (size_t i = 0; i < 4; ++i) {
        mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[2 * i + 8], m[2 * i + 9]);
      }
      Words16 shuffled{};
      for (size_t i = 0; i < m.size(); ++i) {
        shuffled[i] = m[kShuffle[i]];
      }
      m = shuffled;
    }
    Words8 out{};
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = v[i] ^ v[i + 8];
    }
    return out;
  }
};

// All blocks of a chunk but the last, which the returned step holds. An empty chunk has one block.
Step chunk_step(BytesView chunk, uint64_t number) {
  static_assert(std::endian::native == std::endian::little);
  Step step;
  step.counter = number;
  step.flags = kChunkStart;
  while (true) {
    const size_t size = std::min(chunk.size(), kBlockBytes);
    step.message = {};
    std::memcpy(step.message.data(), chunk.data(), size);
    step.length = static_cast<uint32_t>(size);
    chunk.remove_prefix(size);
    if (chunk.empty()) {
      step.flags |= kChunkEnd;
      return step;
    }
    step.chain = step.run();
    step.flags = 0;
  }
}

Step parent_step(const Words8& left, const Words8& right) {
  Step step;
  std::copy(left.begin(), left.end(), step.message.begin());
  std::copy(right.begin(), right.end(), step.message.begin() + 8);
  step.flags = kParent;
  return step;
}

}  // namespace

Bytes blake3(BytesView data) {
  // Whole subtrees to the left of the present chunk, the largest first: as many as the number of
  // chunks before it has bits that are set.
  std::vector<Words8> subtrees;
  uint64_t number = 0;
  for (; data.size() > kChunkBytes; data.remove_prefix(kChunkBytes)) {
    Words8 joined = chunk_step(data.substr(0, kChunkBytes), number).run();
    ++number;
    for (uint64_t bits = number; (bits & 1) == 0; bits >>= 1) {
      joined = parent_step(subtrees.back(), joined).run();
      subtrees.pop_back();
    }
    subtrees.push_back(joined);
  }
  Step last = chunk_step(data, number);
  for (; !subtrees.empty(); subtrees.pop_back()) {
    last = parent_step(subtrees.back(), last.run());
  }
  const Words8 root = last.run(kRoot);
  Bytes out(sizeof root, '\0');
  std::memcpy(out.data(), root.data(), out.size());
  return out;
}

}  // namespace ica
