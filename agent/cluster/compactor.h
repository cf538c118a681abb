#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/asio.h"
#include "common/base/clock.h"
#include "common/codec/peer_id.h"

namespace ica::cluster {

// A peer that has to take part in a compaction.
struct CompactMember {
  PeerId peer;
  std::string problem;  // why it cannot; empty: it can
  uint64_t pins = 0;
  uint64_t changes = 0;  // in its history
  uint64_t digest = 0;   // of its pinset
};

// What a compaction would do. All of the cluster's peers have to take part, because one that keeps
// the old history brings it back.
struct CompactPlan {
  uint64_t epoch = 0;                  // of the history that would begin
  uint64_t pins = 0;                   // here
  uint64_t changes = 0;                // in the history here, now
  uint64_t changes_after = 0;          // about
  uint64_t disk_bytes = 0;             // of the database here, now
  std::vector<CompactMember> members;  // this peer too, by ID
  std::vector<PeerId> without;         // left out on demand
  bool possible() const {
    for (const CompactMember& member : members) {
      if (!member.problem.empty()) {
        return false;
      }
    }
    return true;
  }
};

struct CompactStatus {
  bool running = false;
  std::string step;    // what is being done; empty: nothing
  uint64_t epoch = 0;  // of the present history: how often it was begun anew; 0: never
  // The last compaction that this peer led, since its start.
  bool led = false;
  Time ended;                   // undefined while it runs
  std::string error;            // why nothing, or not all, was done; empty: all is well
  Duration paused{};            // so long changes waited
  uint64_t changes_before = 0;  // in the history
  uint64_t changes_after = 0;
  size_t members = 0;  // that took part
};

// Begins the history of the pinset anew on all peers of the cluster, while they run: reads go on,
// changes wait for some seconds. docs/compaction.md has the protocol. Thread-safety: any thread.
class Compactor {
 public:
  virtual ~Compactor() = default;
  // `without`: peers that are gone and will come back as new ones, or never.
  virtual Task<Result<CompactPlan>> plan(std::vector<PeerId> without, StopToken stop) = 0;
  // Goes on by itself; status() tells. Errors: Conflict (the plan has problems, or one runs).
  virtual Task<Status> start(std::vector<PeerId> without) = 0;
  virtual CompactStatus status() const = 0;
};

}  // namespace ica::cluster
