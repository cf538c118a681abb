#pragma once

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
};

class Broadcaster {
 public:
  virtual ~Broadcaster() = default;
  // Publishes to the topic of the heads, without waiting. What is announced is served from
  // Replica::block() before the call. Thread-safety: any thread.
  virtual void broadcast(Bytes message) = 0;
};

}  // namespace ica::crdt
