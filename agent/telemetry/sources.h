#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/crdt/pinset.h"
#include "agent/ipfs/connector.h"
#include "agent/store/store.h"
#include "agent/tracker/tracker.h"
#include "common/http/server.h"

namespace ica::telemetry {

struct RepoValues {
  uint64_t size = 0;         // bytes
  uint64_t storage_max = 0;  // bytes
  uint64_t objects = 0;
};

struct BlockValues {
  uint64_t requests = 0;  // block/put calls
  uint64_t failed = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
};

// Of port 9096, since the start unless it says otherwise.
struct NetworkValues {
  struct Direction {
    uint64_t connections = 0;                                // that came about
    uint64_t open_streams = 0;                               // now
    std::vector<std::pair<std::string, uint64_t>> failures;  // by reason
  };
  Direction inbound;
  Direction outbound;
  uint64_t open_connections = 0;  // now
  uint64_t streams_refused = 0;
  // Breaches of the protocols by peers that know the secret.
  std::vector<std::pair<std::string, uint64_t>> violations;
  uint64_t gossip_peers = 0;  // now
  uint64_t gossip_in = 0;     // messages, accepted
  uint64_t gossip_out = 0;
  uint64_t gossip_dropped = 0;
  uint64_t gossip_rejected = 0;
  uint64_t bitswap_blocks_in = 0;
  uint64_t bitswap_blocks_out = 0;
  uint64_t bitswap_bytes_in = 0;
  uint64_t bitswap_bytes_out = 0;
  uint64_t bitswap_failed = 0;                              // blocks that nobody served in time
  std::vector<std::pair<std::string, uint64_t>> rpc_calls;  // of other peers, by outcome
  uint64_t rpc_running = 0;                                 // now
};

// Where the metrics come from: the owners of the numbers, asked at each scrape from the health
// threads, so each must be quick and safe to call from there. One that is not set counts as zero,
// so that every name is there from the first scrape.
struct Sources {
  std::function<crdt::PinsetInfo()> pinset;
  std::function<tracker::TrackerCounts()> tracker;
  std::function<std::vector<ipfs::CallStats>()> kubo_calls;
  std::function<bool()> kubo_reachable;
  std::function<RepoValues()> repo;
  std::function<BlockValues()> blocks;
  std::function<store::Stats()> store;
  std::function<NetworkValues()> network;
  std::function<size_t()> peers;   // members of the cluster, this one included
  std::function<size_t()> alerts;  // raised and still listed
  std::function<int64_t()> disk_weight;
  std::vector<std::pair<std::string, const http::ServerStats*>> apis;  // "rest", ...
};

}  // namespace ica::telemetry
