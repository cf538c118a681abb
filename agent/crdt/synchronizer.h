#pragma once

#include <deque>
#include <vector>

#include "agent/crdt/announcer.h"
#include "agent/crdt/fetcher.h"
#include "agent/crdt/replica.h"

namespace ica::crdt {

// Keeps a replica in step with others: hears announcements, wants blocks, merges what comes,
// announces. A state machine without threads, sockets and clock; SyncDriver gives it those, and a
// simulator may give it others. Thread-safety: state executor only.
class Synchronizer {
 public:
  struct Options {
    Announcer::Options announcer;
    Fetcher::Options fetcher;
    // Blocks that wait to be merged; nothing more is asked for beyond this.
    size_t max_waiting_bytes = 16 << 20;
    // Blocks of one commit.
    size_t max_commit_blocks = 256;
    size_t max_commit_bytes = 2 << 20;
  };
  struct Actions {
    std::vector<Fetcher::Request> requests;
    std::vector<Bytes> broadcasts;
  };

  Synchronizer(Replica& replica, Options options, uint64_t seed, SteadyTime now);

  // A trusted peer announced heads. Errors: InvalidArgument (not an announcement), Io, Corrupt.
  Status on_announcement(BytesView message, const PeerId& from, SteadyTime now);
  // The answer to a request; nothing: nobody served it, or not with the right bytes.
  Status on_block(const Bytes& digest, std::optional<Bytes> block, const PeerId& from,
                  SteadyTime now);
  // New local nodes are on disk.
  void on_local(SteadyTime now) { announcer_.changed(now); }
  // A peer subscribed to the topic of the heads.
  void on_peer(SteadyTime now);

  // Merges part of what has arrived. True when there is more.
  Result<bool> merge_some(SteadyTime now);
  bool has_arrived() const { return !arrived_.empty(); }
  // What is to be done outside at `now`.
  Result<Actions> poll(SteadyTime now);
  // When poll() is due although nothing happens.
  SteadyTime next() const;

 private:
  struct Arrived {
    Fetched fetched;
    PeerId from;
  };
  void take(const MergeOutcome& outcome, const PeerId& from, SteadyTime now);
  Status refill(SteadyTime now);
  Status prefetch(BytesView block, const PeerId& from, SteadyTime now);

  Replica& replica_;
  const Options options_;
  Announcer announcer_;
  Fetcher fetcher_;
  std::deque<Arrived> arrived_;
  size_t arrived_bytes_ = 0;
  Bytes refill_after_;
  SteadyTime housekeeping_at_{};
};

}  // namespace ica::crdt
