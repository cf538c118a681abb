#include "agent/cmd/network_values.h"

#include <algorithm>

#include "agent/p2p/host_stats.h"

namespace ica::cmd {
namespace {

telemetry::NetworkValues::Direction direction(const p2p::HostStats& stats, bool inbound) {
  telemetry::NetworkValues::Direction values;
  values.connections = (inbound ? stats.accepted : stats.dialled).load(std::memory_order_relaxed);
  const int64_t open = (inbound ? stats.open_inbound_streams : stats.open_outbound_streams).load();
  values.open_streams = static_cast<uint64_t>(std::max<int64_t>(0, open));
  for (size_t i = 0; i < p2p::kConnectFailures; ++i) {
    const auto reason = static_cast<p2p::ConnectFailure>(i);
    values.failures.emplace_back(to_string(reason), stats.failures(inbound, reason));
  }
  return values;
}

}  // namespace

telemetry::NetworkValues network_values(const PeerNetwork& network) {
  const p2p::HostStats& host = network.host().stats();
  const PeerNetwork::Stats stats = network.stats();
  telemetry::NetworkValues values;
  values.inbound = direction(host, true);
  values.outbound = direction(host, false);
  values.open_connections = host.connections.load(std::memory_order_relaxed);
  values.streams_refused = host.streams_refused.load(std::memory_order_relaxed);
  values.violations = {{"connection", host.violations.load(std::memory_order_relaxed)},
                       {"gossip", stats.gossip.malformed},
                       {"bitswap", stats.bitswap.malformed}};
  values.gossip_peers = stats.gossip.peers;
  for (const auto& [topic, counts] : stats.gossip.topics) {
    values.gossip_in += counts.messages_in;
    values.gossip_out += counts.messages_out;
  }
  values.gossip_dropped = stats.gossip.dropped;
  values.gossip_rejected = stats.gossip.router.rejected;
  values.bitswap_blocks_in = stats.bitswap.blocks_in;
  values.bitswap_blocks_out = stats.bitswap.blocks_out;
  values.bitswap_bytes_in = stats.bitswap.bytes_in;
  values.bitswap_bytes_out = stats.bitswap.bytes_out;
  values.bitswap_failed = stats.bitswap.failed;
  values.rpc_calls = {{"answered", stats.rpc.answered},
                      {"denied", stats.rpc.denied},
                      {"refused", stats.rpc.refused},
                      {"unknown", stats.rpc.unknown}};
  values.rpc_running = stats.rpc.running;
  return values;
}

}  // namespace ica::cmd
