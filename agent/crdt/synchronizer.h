#pragma once

#include <deque>
#include <vector>

#include "agent/crdt/announcer.h"
#include "agent/crdt/fetcher.h"
#include "agent/crdt/history.h"
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
    // Nodes fetched one below the other before the rest is asked for as a stream.
    size_t stream_after = 16;
  };
  struct HistoryAction {
    PeerId peer;
    HistoryRequest request;
  };
  struct Actions {
    std::vector<Fetcher::Request> requests;
    std::vector<Bytes> broadcasts;
    std::optional<HistoryAction> history;  // ends with on_history_end()
  };
  // Whether a peer streams histories.
  using Streams = std::function<bool(const PeerId&)>;

  Synchronizer(Replica& replica, Options options, uint64_t seed, SteadyTime now);

  // Who announced: a peer of our kind says which history it has unless it has the first one, a Go
  // peer never can.
  enum class Author { Ours, Foreign };
  // A trusted peer announced heads. Those of another history are left out; gives that history when
  // it is to be kept and ours is not. Errors: InvalidArgument (not an announcement), Io, Corrupt.
  Result<std::optional<Epoch>> on_announcement(BytesView message, const PeerId& from,
                                               SteadyTime now, Author author = Author::Ours);
  // Somebody has this history. True when it is to be kept and ours is not; a newcomer takes it.
  Result<bool> falls_behind(const Epoch& theirs);
  // The answer to a request; nothing: nobody served it, or not with the right bytes. True when it
  // will be merged, false when it is not wanted any more.
  Result<bool> on_block(const Bytes& digest, std::optional<Bytes> block, const PeerId& from,
                        SteadyTime now);
  // Without it nobody does.
  void set_streams(Streams streams) { streams_ = std::move(streams); }
  // A node of a streamed history. False when the rest is of no use.
  Result<bool> on_history_block(Bytes block, SteadyTime now);
  void on_history_end(const Status& outcome, SteadyTime now);
  // Too much waits to be merged.
  bool full() const {
    return arrived_bytes_ >= options_.max_waiting_bytes ||
           arrived_.size() >= options_.fetcher.window / 2;
  }

  // New local nodes are on disk. Somebody else may have made one of them, too: the same change of
  // the same heads is the same node, and nobody need send it any more.
  void on_local(const std::vector<Bytes>& digests, SteadyTime now);
  // The replica has another history: nothing of the old one is wanted any more.
  void on_new_history(SteadyTime now);
  // A peer subscribed to the topic of the heads.
  void on_peer(SteadyTime now);

  // Merges part of what has arrived: the digests of these blocks.
  Result<std::vector<Bytes>> merge_some(SteadyTime now);
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
  void keep(const Bytes& digest, Bytes block, const PeerId& from);
  std::optional<HistoryAction> history(SteadyTime now);
  enum class Side { Same, Behind, Ahead };  // we, of the other history
  Result<Side> compare(const Epoch& theirs);

  // The stream that runs, and when there may be another one.
  struct Stream {
    bool running = false;
    PeerId peer;  // of the one that runs, or that would be asked
    size_t taken = 0;
    size_t useless = 0;
    SteadyTime not_before{};
  };

  Replica& replica_;
  const Options options_;
  Announcer announcer_;
  Fetcher fetcher_;
  std::deque<Arrived> arrived_;
  size_t arrived_bytes_ = 0;
  Bytes refill_after_;
  Streams streams_;
  Stream stream_;
  size_t depth_ = 0;  // nodes that led to further ones since there was nothing to do
  SteadyTime housekeeping_at_{};
};

}  // namespace ica::crdt
