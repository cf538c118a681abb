#pragma once

#include <map>
#include <vector>

#include "agent/crdt/delta.h"
#include "agent/crdt/overlay.h"
#include "agent/crdt/pinset.h"
#include "agent/crdt/records.h"

namespace ica::crdt {

// Totals over the state, kept in the same batch as what they count.
struct Totals {
  uint64_t pins = 0;    // keys that are pins
  uint64_t odd = 0;     // keys with a value that are not, or cannot be read as, a pin
  uint64_t digest = 0;  // sum of digest_term over both
};

// The shared map: an add-wins set of (key, block) pairs under a value per key, after set.go of
// go-ds-crdt v0.6.8. The value of a key is the one with the highest priority, then the greatest
// bytes, among the additions that no tombstone names.
//
// It keeps less than the reference does, to the same effect: an addition goes when its tombstone
// comes, and a tombstone stays only as long as its block has not been merged, because a merged
// block is never merged again.
//
// Collects the changes of any number of deltas; finish() writes values, indexes and totals and
// tells the observers. Thread-safety: none.
class SetMerge {
 public:
  SetMerge(const store::Store& store, Overlay& overlay, Totals totals)
      : store_(store), overlay_(overlay), totals_(totals) {}

  // Merges the delta of the block `digest`. The block must be readable through the overlay before
  // the next delta is merged.
  Status merge(BytesView digest, const Delta& delta);

  // Tombstone ids for everything that the key has now; empty when it is not in the set.
  Result<std::vector<Bytes>> live_ids(BytesView packed_key);
  // Its value as the merges so far left it.
  Result<std::optional<Current>> current(BytesView packed_key);

  Status finish(const std::vector<StateObserver*>& observers);
  const Totals& totals() const { return totals_; }

 private:
  struct Change {
    std::optional<Current> before;
    bool before_odd = false;
    std::optional<Current> after;
  };
  struct ParsedBlock {
    Bytes digest;
    Bytes delta;
    Delta parsed;
  };

  Status merge_tombstones(const Delta& delta);
  Status merge_elements(BytesView digest, const Delta& delta);
  Status bury(const Bytes& key, const std::vector<Bytes>& ids);
  Result<std::optional<Current>> best_of(const Bytes& key,
                                         const std::vector<std::pair<Bytes, Bytes>>& live);
  Result<const Delta*> delta_of(BytesView digest);
  Result<Change*> change(BytesView packed_key);
  Status set(BytesView packed_key, std::optional<Current> value);
  Status finish_one(const Bytes& key, const Change& change,
                    const std::vector<StateObserver*>& observers);
  void index(const api::Pin& pin, bool add);

  const store::Store& store_;
  Overlay& overlay_;
  Totals totals_;
  std::map<Bytes, Change, std::less<>> changes_;
  std::vector<std::unique_ptr<ParsedBlock>> parsed_;  // the last few
};

}  // namespace ica::crdt
