#pragma once

#include <array>
#include <deque>
#include <optional>

#include "agent/store/store.h"
#include "agent/tracker/row.h"

namespace ica::tracker {

struct QueueEntry {
  QueueKey key;
  Cid cid;
};

// Reads the persistent queue lane by lane without walking again over what was taken (deleted
// records cost time until they are compacted away). What was taken stays on disk until its outcome
// is written; the owner checks against the rows, because entries can be outdated. Thread-safety:
// none.
class QueueReader {
 public:
  explicit QueueReader(const store::Store& store) : store_(store) {}

  // The first entry of a lane, or nothing when the lane is empty. It stays the first until taken.
  Result<std::optional<QueueEntry>> peek(Lane lane);
  void take(Lane lane);
  // An entry came onto disk.
  void inserted(const QueueKey& key);
  // Puts an entry that was taken back to the front.
  void put_back(QueueEntry entry);
  // Forgets what was taken.
  void rewind();

 private:
  static constexpr size_t kReadAhead = 256;
  struct State {
    std::deque<QueueEntry> ahead;
    Bytes from;  // where on disk the entries after `ahead` begin; empty: the lane's start
    bool exhausted = false;  // nothing on disk behind `ahead`
  };
  Status refill(Lane lane, State& state);

  const store::Store& store_;
  std::array<State, kLanes> lanes_;
};

}  // namespace ica::tracker
