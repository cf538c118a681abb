#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "agent/cluster/cluster.h"
#include "agent/ipfs/connector.h"
#include "agent/p2p/stream.h"

namespace ica::rpc {

// The same calls as on api::kRpcProtocol, but PinTracker.StatusAll answers in order of CID bytes
// and in brief (briefs.h). Peers of the reference do not know it and ignore it.
inline constexpr std::string_view kOwnProtocol = "/ica/cluster/1.1/rpc";

struct ServerOptions {
  size_t max_calls = 1024;  // at once, of all peers
  size_t max_calls_per_peer = 128;
  size_t max_argument = 256 << 10;  // bytes
  size_t max_block = 4 << 20;       // bytes of one block of an upload, with its name
  // For the request of a call to arrive, and for the caller to close after the answer.
  Duration request_limit = std::chrono::seconds(30);
  // A caller that neither reads nor writes for so long in the middle of a call is given up.
  Duration stall_limit = std::chrono::minutes(10);
};

// Calls since the start.
struct ServerStats {
  uint64_t answered = 0;  // by a method, whatever came of it
  uint64_t denied = 0;    // by the table of methods
  uint64_t refused = 0;   // over a limit
  uint64_t unknown = 0;   // no such method, or not readable
  uint64_t running = 0;
};

// Answers other peers' calls (gorpc 1.0): one coroutine a call on its stream's executor, a call a
// stream. What a peer can make us hold is bounded by the options and by the streams that the
// network lets it open. Thread-safety: start once, then stop once; stats from any thread.
class Server {
 public:
  // `network`, `cluster` and `connector` must live until stop() has ended.
  Server(p2p::Network& network, cluster::Cluster& cluster, ipfs::Connector& connector,
         ServerOptions options = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From here on calls are answered.
  void start();
  // Refuses new calls, ends the running ones and waits for them, at most about a second.
  Task<void> stop();
  ServerStats stats() const;

  struct Impl;  // shared with the calls

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::rpc
