#pragma once

#include <vector>

#include "agent/adder/unixfs.h"

namespace ica::adder {

// Builds a sharded directory: a hash array mapped trie with 256 slots a node, keyed by the first 64
// bits of murmur3 (x64, 128 bits) of the names, as boxo's ipld/unixfs/hamt writes it. The shape
// depends on the set of names only. `links` have distinct names.
Node build_hamt(const CidBuilder& cids, std::vector<DagPbLink> links, const BlockSink& sink);

// The hash, exposed for its test vectors.
uint64_t murmur3_x64_64(BytesView data);

}  // namespace ica::adder
