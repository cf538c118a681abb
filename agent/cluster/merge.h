#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/cluster/peer_group.h"

namespace ica::cluster {

// One peer's part of a global answer.
struct MergeSource {
  PeerId peer;
  PinInfos infos;
  // When the peer could not even be asked: its words. `infos` is then empty.
  std::string error;
  // This peer itself: damage of its own data fails the whole answer, it is not one peer's trouble.
  bool own = false;
};

// What is shown of a peer that failed with these words.
using FailedInfo = std::function<api::PinInfoShort(const PeerId& peer, const std::string& error)>;

// Joins the answers of several peers per CID, in order of CID bytes. A peer that fails, at once or
// on the way, is added with its error to every CID that others list from there on; it never lists
// one by itself. A peer that is not allowed to answer (PermissionDenied) is left out. Memory: a
// batch per peer; answers of peers that promise no order are first sorted through temporary files
// in runs of `run_items`.
StreamPtr<api::GlobalPinInfo> merge(std::vector<MergeSource> sources, FailedInfo failed,
                                    size_t run_items = 16384);

// The same items in order of CID bytes.
StreamPtr<api::PinInfo> sorted(StreamPtr<api::PinInfo> items, size_t run_items);

}  // namespace ica::cluster
