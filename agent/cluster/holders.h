#pragma once

// Shared between the .cc files of agent/cluster only.
#include "agent/cluster/core.h"

namespace ica::cluster {

// Asks each of `peers` whether it holds the pin; one that does not answer in `limit` counts as not.
// This peer answers from its index.
Task<HeldBy> ask_holders(const Cluster::Core& core, Cid cid, std::vector<PeerId> peers,
                         Duration limit, StopToken stop);

}  // namespace ica::cluster
