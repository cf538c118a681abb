#pragma once

#include <memory>
#include <vector>

#include "agent/adder/adder.h"

namespace ica::adder {

// Decides where the blocks of one add go and pins the result: in one piece, or cut into shards.
// Thread-safety: one coroutine.
class Destination {
 public:
  virtual ~Destination() = default;
  // Blocks in the order in which they were built.
  virtual Task<Status> put(std::vector<Block> blocks) = 0;
  // Where blocks go at present; shown with every line of the answer.
  virtual std::vector<PeerId> allocations() const = 0;
  // All blocks are there: pins `root`.
  virtual Task<Status> finish(Cid root) = 0;
};

// All blocks to one choice of peers, made with the first block.
std::unique_ptr<Destination> make_single_destination(const AddOptions& options, AddTarget& target);

// Blocks collect in shards of at most shard_size bytes, each allocated and pinned by itself, with a
// cluster DAG that links the shards and a meta pin for the content. The shards are announced on
// `output`.
std::unique_ptr<Destination> make_sharding_destination(const AddOptions& options, AddTarget& target,
                                                       OutputSink& output);

}  // namespace ica::adder
