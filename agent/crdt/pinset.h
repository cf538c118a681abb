#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "agent/crdt/epoch.h"
#include "agent/store/store.h"
#include "common/api/pin.h"
#include "common/base/asio.h"

namespace ica::crdt {

// One key of the pinset changed. `before` is what readers saw until now.
struct PinChange {
  Cid cid;
  std::optional<api::Pin> before;
  std::optional<api::Pin> after;
};

// Takes part in every commit. Both calls are made on the state executor.
class StateObserver {
 public:
  virtual ~StateObserver() = default;
  // Adds its own records to the batch that changes the pin, so that both become durable together.
  virtual void on_change(const PinChange& change, store::Batch& batch) = 0;
  // The batch of the preceding on_change calls is on disk (or, with an error, is not).
  virtual void on_committed(const Status& outcome) = 0;
};

struct PinsetInfo {
  uint64_t pins = 0;
  uint64_t heads = 0;
  uint64_t height = 0;  // highest delta merged
  uint64_t blocks = 0;  // DAG nodes held
  uint64_t digest = 0;  // order-independent hash over the live pins
  uint64_t work = 0;    // DAG nodes known and not merged yet
  // While something is missing: how far down the merged nodes reach from `height`.
  uint64_t synced_to = 0;
};

// What another peer of our kind said about its pinset.
struct PeerPinset {
  PeerId peer;
  PinsetInfo info;
  Epoch epoch;
  Time at;
};

// The most copies that a pin may have at rest, and whether more peers are to hold it: then a move
// is under way, or was left behind. Pins for everywhere have no maximum.
inline size_t most_copies(const api::Pin& pin) {
  return static_cast<size_t>(std::max(pin.options.replication_factor_max, 1));
}
inline bool crowded(const api::Pin& pin) {
  return !pin.everywhere() && pin.allocations.items.size() > most_copies(pin);
}

// The pinset as every other part sees it: a map from CID to Pin that survives crashes. Behind it
// stands the Merkle-CRDT; alone or with other peers makes no difference to the callers.
//
// Writing: arriving operations collect while a commit is in flight, the next commit takes them all
// as one delta, one DAG node and one synced batch. The caller goes on after that sync, so what was
// acknowledged survives kill -9 and power loss. Thread-safety: all methods from any thread.
class Pinset {
 public:
  virtual ~Pinset() = default;

  // Errors: Busy (too many operations wait), Io, Cancelled. A cancelled operation may still happen.
  virtual Task<Status> put(api::Pin pin) = 0;
  // Puts `after` only where `before` still stands: what somebody changed or removed meanwhile stays
  // as it is, and the answer is false.
  virtual Task<Result<bool>> replace(api::Pin before, api::Pin after) = 0;
  // False when there was nothing to remove.
  virtual Task<Result<bool>> remove(Cid cid) = 0;

  // Reads see every acknowledged write.
  virtual Result<std::optional<api::Pin>> get(
      const Cid& cid, const store::SnapshotPtr& snapshot = nullptr) const = 0;

  // Up to `limit` pins whose key is after `after` (undefined: from the start), in key order, from a
  // snapshot. A record that cannot be read is an error, never left out silently.
  virtual Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                             const store::SnapshotPtr& snapshot) const = 0;

  // CIDs of pins whose expire_at is before `now`, oldest first, up to `limit`; from the index, so
  // it costs what it returns.
  virtual Result<std::vector<Cid>> expired(Time now, size_t limit) const = 0;
  // When the first pin expires; nothing when none ever does.
  virtual Result<std::optional<Time>> next_expiry() const = 0;

  // The four below read indexes, so they cost what they return; in key order, behind `after`
  // (undefined: from the start), up to `limit`.
  // Pins that are allocated to `peer`; pins for everywhere are not among them.
  virtual Result<std::vector<Cid>> allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                                const store::SnapshotPtr& snapshot) const = 0;
  // Pins with more allocations than their maximum.
  virtual Result<std::vector<Cid>> crowded(const Cid& after, size_t limit,
                                           const store::SnapshotPtr& snapshot) const = 0;
  // Pins of one name, which counts up to its first kMaxIndexedName bytes.
  virtual Result<std::vector<Cid>> named(std::string_view name, const Cid& after, size_t limit,
                                         const store::SnapshotPtr& snapshot) const = 0;
  // Every peer that some pin is allocated to, whether it still exists or not.
  virtual Result<std::vector<PeerId>> allocated_peers() const = 0;

  virtual PinsetInfo info() const = 0;
  // Must be called before the first write.
  virtual void observe(StateObserver& observer) = 0;
};

}  // namespace ica::crdt
