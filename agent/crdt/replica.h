#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/crdt/dag_state.h"
#include "agent/crdt/epoch.h"
#include "agent/crdt/pinset.h"
#include "agent/crdt/transaction.h"

namespace ica::crdt {

// A block that was asked for, with the digest it was asked by. Whoever fetched it has checked that
// they belong together.
struct Fetched {
  Bytes digest;
  Bytes block;
};

struct MergeOutcome {
  size_t merged = 0;
  std::vector<Bytes> wanted;   // work that is new
  std::vector<Bytes> settled;  // work that is done or given up
  bool heads_changed = false;
};

// The Merkle-CRDT of one peer: plain synchronous code over the store. Every call that changes
// something is one batch; when it fails nothing has changed, in memory as on disk.
//
// Thread-safety: changing calls and observe() on the state executor only; const calls from any
// thread.
class Replica {
 public:
  static Result<std::unique_ptr<Replica>> open(store::Store& store);

  // Must be called before the first change.
  void observe(StateObserver& observer) { observers_.push_back(&observer); }

  // Writes with a synced commit. Gives the digests of the new nodes, oldest first: none when the
  // ops change nothing. Errors: TooLarge, Io, Corrupt.
  Result<std::vector<Bytes>> write(const std::vector<LocalOp>& ops);
  // Heads that somebody announced. What is unknown becomes work.
  Result<MergeOutcome> receive_heads(const std::vector<Bytes>& digests);
  // Merges fetched blocks in the given order with one synced commit.
  Result<MergeOutcome> merge(const std::vector<Fetched>& blocks);
  // Gives up announced heads that nobody serves, as far as nothing depends on them.
  Result<MergeOutcome> drop(const std::vector<Bytes>& digests);

  // From here on this is the history's number and beginning, without a change of the history.
  Status set_epoch(const Epoch& epoch);
  // Reads the state anew, after somebody put another history into the store.
  Status reload();

  // Announced heads that are being followed. State executor only.
  size_t following() const { return state_.groups.size(); }
  PinsetInfo info() const;
  Epoch epoch() const;
  // Digests of the heads that are complete here, ascending.
  std::vector<Bytes> heads() const;
  // The DAG node with this digest, if it was merged.
  Result<std::optional<Bytes>> block(BytesView digest) const;
  Result<bool> merged(BytesView digest) const;
  // The priority of a merged node.
  Result<std::optional<uint64_t>> height(BytesView digest) const;
  // Up to `limit` wanted blocks whose digest is after `after`.
  Result<std::vector<Bytes>> work(BytesView after, size_t limit) const;

  Result<std::optional<api::Pin>> get(const Cid& cid, const store::SnapshotPtr& snapshot) const;
  Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                     const store::SnapshotPtr& snapshot) const;
  Result<std::vector<Cid>> expired(Time now, size_t limit) const;
  Result<std::optional<Time>> next_expiry() const;
  Result<std::vector<Cid>> allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                        const store::SnapshotPtr& snapshot) const;
  Result<std::vector<Cid>> crowded(const Cid& after, size_t limit,
                                   const store::SnapshotPtr& snapshot) const;
  Result<std::vector<Cid>> named(std::string_view name, const Cid& after, size_t limit,
                                 const store::SnapshotPtr& snapshot) const;
  Result<std::vector<PeerId>> allocated_peers() const;
  const store::Store& store() const { return store_; }
  store::SnapshotPtr snapshot() const { return store_.snapshot(); }

 private:
  explicit Replica(store::Store& store) : store_(store) {}
  Result<MergeOutcome> commit(Transaction& transaction, store::Sync sync);
  void adopt(const DagState& state);

  store::Store& store_;
  std::vector<StateObserver*> observers_;
  DagState state_;

  // What other threads may ask for.
  mutable std::mutex mutex_;
  PinsetInfo info_;
  std::vector<Bytes> heads_;
  Epoch epoch_;
};

}  // namespace ica::crdt
