#pragma once

#include <optional>
#include <vector>

#include "agent/adder/adder.h"
#include "agent/adder/chunker.h"
#include "agent/adder/unixfs.h"

namespace ica::adder {

// Builds the DAG of one file from its chunks, as boxo's balanced and trickle importers do: the same
// blocks in the same order. Memory: the open nodes from the root to the last leaf, no content.
// Thread-safety: none.
class FileBuilder {
 public:
  FileBuilder(const CidBuilder& cids, Layout layout, bool raw_leaves, const BlockSink& sink);

  // What chunks need around them.
  static ChunkRoom chunk_room(bool raw_leaves);
  // With that room.
  void add_chunk(Bytes chunk);
  // The root; the builder is then ready for the next file.
  Node finish();

 private:
  // A node whose children are still arriving.
  struct Open {
    DagPbNode node;
    std::vector<uint64_t> block_sizes;
    uint64_t file_size = 0;
    // Trickle only: how deep this node may go, and where it is with its sub-trees.
    int max_depth = 0;
    int depth = 1;
    int repeat = 0;
  };

  Node make_leaf(Bytes chunk, UnixFsType type);
  void add_child(Open& parent, const Node& child);
  Node close(Open& open);
  void make_room_balanced();
  Node finish_balanced();
  void make_room_trickle();
  Node finish_trickle();

  const CidBuilder& cids_;
  const Layout layout_;
  const bool raw_leaves_;
  const BlockSink& sink_;
  std::optional<Node> only_leaf_;  // balanced: the first leaf, until it is known not to be the root
  std::vector<Open> open_;         // balanced: by level, leaves' parents first; trickle: root first
};

}  // namespace ica::adder
