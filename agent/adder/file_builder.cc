#include "agent/adder/file_builder.h"

#include <utility>

namespace ica::adder {

namespace {

constexpr size_t kMaxLinks = 174;
// Trickle: sub-trees of each depth under one node.
constexpr int kDepthRepeat = 4;
constexpr int kUnlimitedDepth = -1;

}  // namespace

FileBuilder::FileBuilder(const CidBuilder& cids, Layout layout, bool raw_leaves,
                         const BlockSink& sink)
    : cids_(cids), layout_(layout), raw_leaves_(raw_leaves), sink_(sink) {}

ChunkRoom FileBuilder::chunk_room(bool raw_leaves) {
  return raw_leaves ? ChunkRoom() : ChunkRoom{kLeafFront, kLeafBack};
}

Node FileBuilder::make_leaf(Bytes chunk, UnixFsType type) {
  Node leaf;
  leaf.file_size = chunk.size() - chunk_room(raw_leaves_).front;
  Bytes block = raw_leaves_ ? std::move(chunk) : dag_pb_leaf(type, std::move(chunk));
  leaf.cid = raw_leaves_ ? cids_.raw(block) : cids_.dag_pb(block);
  leaf.size = block.size();
  sink_({leaf.cid, std::move(block)});
  return leaf;
}

void FileBuilder::add_child(Open& parent, const Node& child) {
  parent.node.links.push_back({child.cid, "", child.size});
  parent.block_sizes.push_back(child.file_size);
  parent.file_size += child.file_size;
}

Node FileBuilder::close(Open& open) {
  open.node.data = unixfs_file(open.file_size, open.block_sizes);
  return emit_dag_pb(cids_, std::move(open.node), open.file_size, sink_);
}

void FileBuilder::add_chunk(Bytes chunk) {
  // Full nodes are closed before the block of the next leaf is made: that is the reference's order.
  if (layout_ == Layout::Balanced) {
    make_room_balanced();
    const Node leaf = make_leaf(std::move(chunk), UnixFsType::File);
    if (open_.empty()) {
      only_leaf_ = leaf;
    } else {
      add_child(open_[0], leaf);
    }
  } else {
    make_room_trickle();
    add_child(open_.back(), make_leaf(std::move(chunk), UnixFsType::Raw));
  }
}

Node FileBuilder::finish() {
  return layout_ == Layout::Balanced ? finish_balanced() : finish_trickle();
}

void FileBuilder::make_room_balanced() {
  if (only_leaf_) {
    open_.emplace_back();
    add_child(open_[0], *std::exchange(only_leaf_, std::nullopt));
    return;
  }
  // A full node is closed only now that a further leaf is known to follow, so that a tree which is
  // exactly full gets no parent with a single child.
  for (size_t level = 0; level < open_.size() && open_[level].node.links.size() == kMaxLinks;
       ++level) {
    const Node full = close(open_[level]);
    open_[level] = Open();
    if (level + 1 == open_.size()) {
      open_.emplace_back();
    }
    add_child(open_[level + 1], full);
  }
}

Node FileBuilder::finish_balanced() {
  if (only_leaf_) {
    return *std::exchange(only_leaf_, std::nullopt);
  }
  if (open_.empty()) {
    // An empty file is a leaf without content, raw if asked for.
    return make_leaf(Bytes(chunk_room(raw_leaves_).front, 0), UnixFsType::File);
  }
  Node last = close(open_[0]);
  for (size_t level = 1; level < open_.size(); ++level) {
    add_child(open_[level], last);
    last = close(open_[level]);
  }
  open_.clear();
  return last;
}

void FileBuilder::make_room_trickle() {
  if (open_.empty()) {
    open_.emplace_back();
    open_.back().max_depth = kUnlimitedDepth;
  }
  // Finds the node that takes the next leaf: a node first fills up with leaves, then with sub-trees
  // of depth 1, 2, ... four times each, as far as its own depth allows.
  while (open_.back().depth > 1 || open_.back().repeat > 0 ||
         open_.back().node.links.size() == kMaxLinks) {
    Open& top = open_.back();
    if (top.repeat == kDepthRepeat) {
      ++top.depth;
      top.repeat = 0;
    }
    if (top.max_depth != kUnlimitedDepth && top.depth >= top.max_depth) {
      const Node closed = close(top);
      open_.pop_back();
      add_child(open_.back(), closed);
      continue;
    }
    ++top.repeat;
    const int depth = top.depth;
    open_.emplace_back();
    open_.back().max_depth = depth;
  }
}

Node FileBuilder::finish_trickle() {
  if (open_.empty()) {
    open_.emplace_back();
  }
  Node last = close(open_.back());
  open_.pop_back();
  while (!open_.empty()) {
    add_child(open_.back(), last);
    last = close(open_.back());
    open_.pop_back();
  }
  return last;
}

}  // namespace ica::adder
