#include "agent/adder/shard_dag.h"

#include <algorithm>
#include <string>

#include "common/codec/multihash.h"
#include "common/crypto/hash.h"

namespace ica::adder {

namespace {

// More would not fit into a block.
constexpr size_t kMaxLinks = 5984;

void append_head(Bytes& out, uint8_t major, uint64_t value) {
  const auto top = static_cast<uint8_t>(major << 5);
  if (value < 24) {
    out.push_back(static_cast<char>(top | value));
    return;
  }
  const int width = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  out.push_back(static_cast<char>(top | (width == 1   ? 24
                                         : width == 2 ? 25
                                         : width == 4 ? 26
                                                      : 27)));
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

Block make_node(const Cid* links, size_t count) {
  // Canonical CBOR: shorter keys first, then by bytes. For decimal numbers that is their order.
  Bytes out;
  append_head(out, 5, count);
  for (size_t i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    append_head(out, 3, key.size());
    out += key;
    append_head(out, 6, 42);
    append_head(out, 2, links[i].bytes().size() + 1);
    out.push_back('\0');
    out += links[i].bytes();
  }
  return {Cid::make_v1(multicodec::kDagCbor, encode_multihash(multicodec::kSha2_256, sha256(out))),
          std::move(out)};
}

}  // namespace

std::vector<Block> make_shard_dag(const std::vector<Cid>& links) {
  if (links.size() <= kMaxLinks) {
    return {make_node(links.data(), links.size())};
  }
  std::vector<Block> leaves;
  std::vector<Cid> roots;
  // A number of links that fills the last leaf exactly is followed by an empty leaf, as the
  // reference has it.
  for (size_t i = 0; i <= links.size() / kMaxLinks; ++i) {
    const size_t begin = std::min(i * kMaxLinks, links.size());
    const size_t end = std::min(begin + kMaxLinks, links.size());
    leaves.push_back(make_node(links.data() + begin, end - begin));
    roots.push_back(leaves.back().cid);
  }
  std::vector<Block> out;
  out.push_back(make_node(roots.data(), roots.size()));
  for (Block& leaf : leaves) {
    out.push_back(std::move(leaf));
  }
  return out;
}

}  // namespace ica::adder
