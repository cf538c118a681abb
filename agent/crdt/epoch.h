#pragma once

#include <cstdint>
#include <optional>

#include "agent/store/store.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica::crdt {

// Which history of the pinset this is. Peers can begin it anew together (compact.h); a peer that
// missed it still has the one before, and the two must not be mixed: nodes of the old one would
// bring back what was removed since. A history that was never begun anew has number 0.
struct Epoch {
  uint64_t number = 0;
  Bytes base;           // digest of the newest node that it began with; empty: with none
  uint64_t digest = 0;  // of the pinset that it began with
  uint64_t height = 0;  // of the history before; its own nodes are above
  uint64_t began = 0;   // seconds since 1970, by the clock of the peer that led it

  bool same_history(const Epoch& other) const {
    return number == other.number && base == other.base;
  }
  // Of two peers with different histories this one's is kept. Any rule would do, as long as all
  // have the same.
  bool newer_than(const Epoch& other) const {
    return number != other.number ? number > other.number : base > other.base;
  }
  friend bool operator==(const Epoch&, const Epoch&) = default;
};

// In the store and in messages of our own peers. Errors: InvalidArgument.
Bytes encode_epoch(const Epoch& epoch);
Result<Epoch> decode_epoch(BytesView record);

// As it goes with announcements: empty for the history that was never begun anew.
Bytes announced_history(const Epoch& epoch);

// Where it stands in the family Meta.
inline constexpr BytesView kEpochKey = "crdt_epoch";
Result<Epoch> load_epoch(const store::Store& store);

}  // namespace ica::crdt
