#pragma once

#include <vector>

#include "agent/adder/adder.h"
#include "common/codec/cid.h"

namespace ica::adder {

// The dag-cbor nodes that link the blocks of a shard, or the shards of an add: {"0": link, "1":
// link, ...}. The first block is the root. With more links than fit into a block there is one level
// of leaf nodes below it. (As the reference's adder/sharding/dag.go.)
std::vector<Block> make_shard_dag(const std::vector<Cid>& links);

}  // namespace ica::adder
