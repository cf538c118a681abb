#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/asio.h"
#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"

namespace ica::p2p {

// One libp2p stream after protocol negotiation. At most one read and one write at a time. The
// streams of a Host may be used from coroutines on any executor; on the connection's strand
// (executor()) that is cheapest. Destroying an open stream resets it.
class Stream {
 public:
  virtual ~Stream() = default;
  // 1..limit bytes, or an empty string at the clean end of the remote's half. Errors: Closed
  // (reset), Timeout, Cancelled.
  virtual Task<Result<Bytes>> read_some(size_t limit) = 0;
  // All of `data`; waits for window.
  virtual Task<Status> write(Bytes data) = 0;
  virtual Task<Status> close_write() = 0;
  virtual void reset() = 0;
  // Reads and writes that take longer fail with Timeout; zero: none.
  virtual void set_deadline(std::chrono::steady_clock::time_point at) = 0;
  virtual const PeerId& peer() const = 0;
  virtual const std::string& protocol() const = 0;
  virtual Executor executor() const = 0;
};
using StreamPtr = std::shared_ptr<Stream>;

struct PeerEvents {
  // After identify; also for the peers that are connected at the time of subscribe().
  std::function<void(const PeerId&)> connected;
  // The last connection is gone. Both are called in order, one at a time; they must be quick.
  std::function<void(const PeerId&)> disconnected;
};

// What gossipsub, bitswap and rpc need of the network. Thread-safety: any thread.
class Network {
 public:
  virtual ~Network() = default;
  virtual const PeerId& self() const = 0;
  // Opens a stream with the first of `protocols` that the peer speaks; dials when not connected.
  virtual Task<Result<StreamPtr>> open_stream(PeerId peer, std::vector<std::string> protocols,
                                              Duration timeout, StopToken stop) = 0;
  // The handler runs as its own coroutine on the stream's executor.
  virtual void handle(std::string protocol, std::function<Task<void>(StreamPtr)> handler) = 0;
  virtual void subscribe(PeerEvents events) = 0;
  virtual std::vector<PeerId> connected_peers() const = 0;
  virtual bool speaks(const PeerId& peer, std::string_view protocol) const = 0;
  virtual std::vector<Multiaddr> listen_addresses() const = 0;
  virtual std::vector<Multiaddr> known_addresses(const PeerId& peer) const = 0;
};

}  // namespace ica::p2p
