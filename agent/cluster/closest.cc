#include <array>
#include <sodium.h>

#include "agent/cluster/core.h"

namespace ica::cluster {
namespace {

using Digest = std::array<unsigned char, 32>;

Digest digest(BytesView data) {
  Digest out{};
  ICA_ASSERT(crypto_generichash(out.data(), out.size(), u8(data), data.size(), nullptr, 0) == 0);
  return out;
}

}  // namespace

size_t rank_of(const std::vector<PeerId>& peers, const PeerId& self, const Cid& cid) {
  const Digest target = digest(cid.bytes());
  auto distance = [&target](const PeerId& peer) {
    Digest d = digest(peer.bytes());
    for (size_t i = 0; i < d.size(); ++i) {
      d[i] = static_cast<unsigned char>(d[i] ^ target[i]);
    }
    return d;
  };
  const Digest own = distance(self);
  return static_cast<size_t>(std::count_if(peers.begin(), peers.end(), [&](const PeerId& peer) {
    return peer != self && distance(peer) < own;
  }));
}

bool closest_of(const std::vector<PeerId>& peers, const PeerId& self, const Cid& cid) {
  return rank_of(peers, self, cid) == 0;
}

}  // namespace ica::cluster
