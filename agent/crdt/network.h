#pragma once

#include <memory>
#include <vector>

#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/codec/cid.h"
#include "common/codec/peer_id.h"

namespace ica::crdt {

// What this part needs of the network; the p2p part is put behind it where both meet.

class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // The bytes of a block from any connected peer, `first` (may be empty) before others. It has a
  // deadline of its own. Called on the network executor. Errors: Unavailable, Timeout, Cancelled.
  virtual Task<Result<Bytes>> fetch(Cid cid, PeerId first, StopToken stop) = 0;
  // Blocks of these digests are on disk now, or not wanted any more: what was kept of them since
  // fetch() may go. Called on the state executor.
  virtual void settled(const std::vector<Bytes>& digests) = 0;
};

class Broadcaster {
 public:
  virtual ~Broadcaster() = default;
  // Publishes to the topic of the heads, without waiting. What is announced is served from
  // Replica::block() before the call. Thread-safety: any thread.
  virtual void broadcast(Bytes message) = 0;
};

// Takes the nodes of a streamed history.
class HistorySink {
 public:
  virtual ~HistorySink() = default;
  // False: no more of this. Waits while too many nodes wait to be merged.
  virtual Task<bool> take(std::vector<Bytes> blocks) = 0;
};

// Peers of our own kind send long histories as one stream (history.h).
class HistorySource {
 public:
  virtual ~HistorySource() = default;
  // Whether the peer does. Thread-safety: any thread.
  virtual bool streams(const PeerId& peer) const = 0;
  // Until the end of the answer or until the sink refuses. It has deadlines of its own. Called on
  // the network executor. Errors: Unavailable, Timeout, Cancelled, Protocol.
  virtual Task<Status> stream(PeerId peer, Bytes request, std::shared_ptr<HistorySink> sink,
                              StopToken stop) = 0;
};

}  // namespace ica::crdt
