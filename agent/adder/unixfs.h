#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/adder/adder.h"
#include "common/codec/cid.h"
#include "common/codec/dag_pb.h"

namespace ica::adder {

// A node that has been built: what a parent has to know of it.
struct Node {
  Cid cid;
  uint64_t size = 0;       // cumulative: its own block and all below
  uint64_t file_size = 0;  // bytes of content below
};

// Makes CIDs as the options ask. A raw leaf is always version 1.
struct CidBuilder {
  int version = 0;
  uint64_t hash_code = multicodec::kSha2_256;

  // Fails with "bad CID Version: ..." and "hash function name not known".
  static Result<CidBuilder> create(int version, std::string_view hash_name);
  // Whether version and hash can go together ("invalid cid: invalid v0 prefix"), and whether we
  // have the function ("invalid cid: unknown multihash code ...").
  Status check() const;
  Cid dag_pb(BytesView block) const;
  Cid raw(BytesView block) const;
};

// Takes finished blocks, in the order in which the reference emits them.
using BlockSink = std::function<void(Block)>;

// UnixFS node types (the Type field of its Data message).
enum class UnixFsType {
  Raw = 0,
  Directory = 1,
  File = 2,
  Metadata = 3,
  Symlink = 4,
  HamtShard = 5
};

// What the framing of a leaf takes around a content of at most 2 MiB.
inline constexpr size_t kLeafFront = 10;
inline constexpr size_t kLeafBack = 4;
// The dag-pb block of a leaf with content, a node without links. `content` begins with kLeafFront
// bytes of any value, and becomes the block.
Bytes dag_pb_leaf(UnixFsType type, Bytes content);
// The Data messages of UnixFS, in the field order of Go's encoder.
Bytes unixfs_file(uint64_t file_size, const std::vector<uint64_t>& block_sizes);
Bytes unixfs_directory();
Bytes unixfs_symlink(BytesView target);
Bytes unixfs_hamt_shard(BytesView bitfield, uint64_t fanout);

// Size of the file or directory that a dag-pb block describes; nothing when it is not UnixFS.
std::optional<uint64_t> unixfs_file_size(BytesView dag_pb_block);

// Encodes a node, hands its block on and returns what its parent needs.
Node emit_dag_pb(const CidBuilder& builder, DagPbNode node, uint64_t file_size,
                 const BlockSink& sink);

}  // namespace ica::adder
