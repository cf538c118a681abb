#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "agent/crdt/pinset.h"
#include "agent/store/store.h"
#include "common/api/status.h"
#include "common/base/clock.h"

namespace ica::cluster {

struct Event {
  uint64_t id = 0;
  std::string type;  // "pin", "unpin", "status"
  std::string name;  // of the pin, where it is known
  std::string json;
};

// What happened to pins, as this peer learnt it: changes of the pinset and ends of its own
// operations, each recorded in the batch that makes it true. IDs rise, with gaps where a commit
// failed, and survive restarts. The oldest are dropped above a bound.
// Thread-safety: writing on the state executor; reading from any thread.
class EventLog final : public crdt::StateObserver {
 public:
  static Result<std::unique_ptr<EventLog>> open(store::Store& store, const Clock& clock,
                                                uint64_t max_events);

  void on_change(const crdt::PinChange& change, store::Batch& batch) override;
  void on_committed(const Status&) override {}
  void operation_ended(const Cid& cid, api::TrackerStatus status, const std::string& error,
                       store::Batch& batch);

  // The newest event; 0: none yet. It can be read a moment later.
  uint64_t last() const { return last_.load(); }
  // The oldest that is kept.
  uint64_t first() const { return first_.load(); }
  // Events after `id`, oldest first.
  Result<std::vector<Event>> read(uint64_t id, size_t limit) const;

 private:
  EventLog(store::Store& store, const Clock& clock, uint64_t max_events)
      : store_(store), clock_(clock), max_(max_events) {}
  void append(std::string json, store::Batch& batch);

  store::Store& store_;
  const Clock& clock_;
  const uint64_t max_;
  uint64_t next_ = 1;  // state executor only
  std::atomic<uint64_t> last_{0};
  std::atomic<uint64_t> first_{1};
};

}  // namespace ica::cluster
