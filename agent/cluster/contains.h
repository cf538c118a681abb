#pragma once

#include <algorithm>
#include <vector>

#include "common/codec/peer_id.h"

namespace ica::cluster {

inline bool contains(const std::vector<PeerId>& peers, const PeerId& peer) {
  return std::find(peers.begin(), peers.end(), peer) != peers.end();
}

}  // namespace ica::cluster
