#include "agent/adder/hamt.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>

namespace ica::adder {

namespace {

constexpr size_t kFanout = 256;
constexpr int kMaxLevels = 8;  // 64 bits of hash, eight a level

uint64_t read_le64(const uint8_t* p) {
  uint64_t v = 0;
  for (int i = 7; i >= 0; --i) {
    v = (v << 8) | p[i];
  }
  return v;
}

uint64_t final_mix(uint64_t k) {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccdULL;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53ULL;
  k ^= k >> 33;
  return k;
}

struct Item {
  uint64_t hash;
  DagPbLink* link;
};

// The slot of a hash at a level: its bytes from the most significant one.
size_t slot(uint64_t hash, int level) {
  return (hash >> (56 - 8 * level)) & 0xff;
}

// `items` are sorted by hash, so that each slot's items stand together.
Node build_shard(const CidBuilder& cids, std::vector<Item>& items, size_t begin, size_t end,
                 int level, const BlockSink& sink) {
  std::array<uint8_t, kFanout / 8> bits{};
  DagPbNode node;
  for (size_t i = begin; i < end;) {
    const size_t index = slot(items[i].hash, level);
    size_t next = i + 1;
    while (next < end && slot(items[next].hash, level) == index) {
      ++next;
    }
    bits[bits.size() - 1 - index / 8] |= static_cast<uint8_t>(1U << (index % 8));
    std::string prefix = fmt::format("{:02X}", index);
    // Names with equal 64-bit hashes cannot be told apart; they stay together in the deepest node.
    if (next - i == 1 || level + 1 == kMaxLevels) {
      for (; i < next; ++i) {
        node.links.push_back(
            {items[i].link->cid, prefix + items[i].link->name, items[i].link->size});
      }
    } else {
      const Node child = build_shard(cids, items, i, next, level + 1, sink);
      node.links.push_back({child.cid, std::move(prefix), child.size});
      i = next;
    }
  }
  // Leading zero bytes of the bit field are left out.
  size_t first = 0;
  while (first < bits.size() && bits[first] == 0) {
    ++first;
  }
  node.data = unixfs_hamt_shard(view(bits.data() + first, bits.size() - first), kFanout);
  return emit_dag_pb(cids, std::move(node), 0, sink);
}

}  // namespace

uint64_t murmur3_x64_64(BytesView data) {
  constexpr uint64_t kC1 = 0x87c37b91114253d5ULL;
  constexpr uint64_t kC2 = 0x4cf5ad432745937fULL;
  uint64_t h1 = 0;
  uint64_t h2 = 0;
  const uint8_t* p = u8(data);
  size_t left = data.size();
  for (; left >= 16; left -= 16, p += 16) {
    uint64_t k1 = read_le64(p);
    uint64_t k2 = read_le64(p + 8);
    k1 = std::rotl(k1 * kC1, 31) * kC2;
    h1 = (std::rotl(h1 ^ k1, 27) + h2) * 5 + 0x52dce729;
    k2 = std::rotl(k2 * kC2, 33) * kC1;
    h2 = (std::rotl(h2 ^ k2, 31) + h1) * 5 + 0x38495ab5;
  }
  std::array<uint8_t, 16> tail{};
  std::memcpy(tail.data(), p, left);
  if (left > 8) {
    h2 ^= std::rotl(read_le64(tail.data() + 8) * kC2, 33) * kC1;
  }
  if (left > 0) {
    h1 ^= std::rotl(read_le64(tail.data()) * kC1, 31) * kC2;
  }
  h1 ^= data.size();
  h2 ^= data.size();
  h1 += h2;
  h2 += h1;
  h1 = final_mix(h1);
  h2 = final_mix(h2);
  return h1 + h2;
}

Node build_hamt(const CidBuilder& cids, std::vector<DagPbLink> links, const BlockSink& sink) {
  std::vector<Item> items;
  items.reserve(links.size());
  for (DagPbLink& link : links) {
    items.push_back({murmur3_x64_64(link.name), &link});
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.link->name < b.link->name;
  });
  return build_shard(cids, items, 0, items.size(), 0, sink);
}

}  // namespace ica::adder
