#pragma once

#include <optional>
#include <vector>

#include "agent/crdt/dag_state.h"
#include "agent/crdt/delta.h"
#include "agent/crdt/set_merge.h"

namespace ica::crdt {

// A local change: a value for a key, or its removal. Each key at most once in a list.
struct LocalOp {
  Bytes key;  // packed
  std::optional<Bytes> value;
};

// Everything that happens to the replica between two commits: announcements, merged nodes, local
// writes. Ends as one batch and the state that is true once the batch is on disk; until then
// nothing has changed. Thread-safety: none.
class Transaction {
 public:
  // More announced heads than this are not followed at the same time.
  static constexpr size_t kMaxGroups = 1024;
  // Links of one node that we make; further heads wait for the next one.
  static constexpr size_t kMaxParents = 128;

  Transaction(const store::Store& store, const DagState& state)
      : before_(state), state_(state), overlay_(store), set_(store, overlay_, state.totals) {}

  // A head that somebody announced becomes wanted. False when it is merged or wanted already.
  Result<bool> announce(const Bytes& digest);

  // Merges a wanted block; `digest` must be its digest. False when it is not wanted (any more).
  Result<bool> merge(const Bytes& digest, BytesView block);

  // Gives a wanted head up that nobody serves. False when nodes already depend on it.
  Result<bool> drop(const Bytes& digest);

  // As few nodes as hold the changes; the digests in order. Nothing for removals of what is not
  // there.
  Result<std::vector<Bytes>> write(const std::vector<LocalOp>& ops);

  // To be called once, last.
  Result<store::Batch> finish(const std::vector<StateObserver*>& observers);
  const DagState& state() const { return state_; }
  bool changed() const { return changed_; }
  const std::vector<Bytes>& wanted() const { return wanted_; }    // new work
  const std::vector<Bytes>& settled() const { return settled_; }  // work that is done or given up

 private:
  Status store_block(const Bytes& digest, BytesView block, const Delta& delta);
  Result<uint64_t> follow(const Bytes& link, uint64_t group, std::vector<Bytes>& covers);
  void link_complete(const std::vector<Bytes>& covers);
  Status want(const Bytes& digest, const WorkItem& item);
  Result<Bytes> write_node(const Delta& delta);

  const DagState before_;
  DagState state_;
  Overlay overlay_;
  SetMerge set_;
  bool changed_ = false;
  std::vector<Bytes> wanted_;
  std::vector<Bytes> settled_;
};

}  // namespace ica::crdt
