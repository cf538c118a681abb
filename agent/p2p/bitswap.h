#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/p2p/bitswap_message.h"
#include "agent/p2p/stream.h"

namespace ica::p2p {

// Exchange of blocks with connected peers over /ipfs/bitswap/1.2.0: asks others for what we want,
// and answers what they want from us. What a peer wants and we do not have is remembered until it
// is served or cancelled, and sent when available() says that we have it. All that is held for a
// peer is bounded. Thread-safety: all methods from any thread.
class Bitswap {
 public:
  // The block, if we have it. Called on the disk executor, from several threads at once.
  using BlockReader = std::function<std::optional<Bytes>(const Cid& cid)>;

  struct Options {
    Duration fetch_limit = std::chrono::seconds(30);
    Duration ask_limit = std::chrono::seconds(1);  // then another peer is asked as well
    Duration open_limit = std::chrono::seconds(5);
    Duration write_limit = std::chrono::seconds(30);
    Duration idle_limit = std::chrono::seconds(60);  // of a stream of ours
    size_t max_ledger = 4096;                        // wants that are kept for one peer
    size_t message_bytes = 1 << 20;  // of blocks in one message; a block may be larger
    size_t message_entries = 512;    // of wants, and of presences, in one message
    size_t queue_bytes = 2 << 20;    // of blocks that wait to be sent to one peer
    size_t small_block = 1024;       // sent instead of the word that we have it
  };
  struct Stats {
    uint64_t fetched = 0;
    uint64_t failed = 0;  // fetches that nobody served in time
    uint64_t blocks_in = 0;
    uint64_t bytes_in = 0;
    uint64_t unwanted = 0;   // blocks that we had not asked for, or not any more
    uint64_t malformed = 0;  // messages and blocks
    uint64_t wants_in = 0;
    uint64_t blocks_out = 0;
    uint64_t bytes_out = 0;
    uint64_t refused = 0;  // answers that we do not have it
    size_t waiting = 0;    // wants of others that we cannot serve yet
  };

  // Stream work runs on `network`, reads on `disk`. `net` must outlive stop().
  Bitswap(Network& net, BlockReader reader, Executor network, Executor disk, Options options);
  ~Bitswap();
  Bitswap(const Bitswap&) = delete;
  Bitswap& operator=(const Bitswap&) = delete;

  void start();
  // The bytes of a block, checked against its CID: from `first` when it is connected, else from
  // others; another peer is asked after a refusal or ask_limit. Errors: Unavailable (no connected
  // peer has it), Timeout, Cancelled.
  Task<Result<Bytes>> fetch(Cid cid, PeerId first, StopToken stop);
  // These can be read from now on; whoever waits for one gets it.
  void available(std::vector<Cid> cids);
  // Whether anybody waits for a block that we lack: without, available() has nothing to do.
  bool wanted() const;
  // Ends fetches and streams; done when nothing runs any more.
  Task<void> stop();
  Stats stats() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::p2p
