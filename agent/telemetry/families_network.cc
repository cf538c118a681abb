#include "agent/telemetry/families.h"

// What happens on port 9096.
namespace ica::telemetry {
namespace {

void add_failures(const NetworkValues::Direction& values, const char* direction, Writer& out) {
  for (const auto& [reason, count] : values.failures) {
    out.add(number(count), {{"direction", direction}, {"reason", reason}});
  }
  if (values.failures.empty()) {  // so that the name is there before the network is
    out.add(0, {{"direction", direction}, {"reason", "wrong_secret"}});
  }
}

// `usual`: so that the name is there before the network is.
void add_labelled(const std::vector<std::pair<std::string, uint64_t>>& values, const char* label,
                  const char* usual, Writer& out) {
  for (const auto& [name, count] : values) {
    out.add(number(count), {{label, name}});
  }
  if (values.empty()) {
    out.add(0, {{label, usual}});
  }
}

void add_pair(double in, double out_value, Writer& out) {
  out.add(in, {{"direction", "in"}});
  out.add(out_value, {{"direction", "out"}});
}

}  // namespace

void add_network_families(const Values& values, Writer& out) {
  const NetworkValues& v = values.network;
  out.gauge("ipfs_cluster_agent_connections", "Open connections to peers")
      .add(number(v.open_connections));
  out.counter("ipfs_cluster_agent_connections_total", "Connections to peers that came about");
  add_pair(number(v.inbound.connections), number(v.outbound.connections), out);
  out.counter("ipfs_cluster_agent_connection_failures_total",
              "Connections that did not come about; wrong_secret: no common secret");
  add_failures(v.inbound, "in", out);
  add_failures(v.outbound, "out", out);
  out.gauge("ipfs_cluster_agent_streams", "Open streams, by who opened them");
  add_pair(number(v.inbound.open_streams), number(v.outbound.open_streams), out);
  out.counter("ipfs_cluster_agent_peer_violations_total",
              "Messages of peers that broke a protocol; connection: it was ended for it");
  add_labelled(v.violations, "protocol", "connection", out);
  out.counter("ipfs_cluster_agent_streams_refused_total", "Streams of peers over a limit")
      .add(number(v.streams_refused));
  out.gauge("ipfs_cluster_agent_gossip_peers", "Peers to which gossip goes")
      .add(number(v.gossip_peers));
  out.counter("ipfs_cluster_agent_gossip_messages_total", "Gossip messages, without duplicates");
  add_pair(number(v.gossip_in), number(v.gossip_out), out);
  out.counter("ipfs_cluster_agent_gossip_dropped_total", "Messages that slow peers had no room for")
      .add(number(v.gossip_dropped));
  out.counter("ipfs_cluster_agent_gossip_rejected_total", "Messages that were not valid")
      .add(number(v.gossip_rejected));
  out.counter("ipfs_cluster_agent_bitswap_blocks_total", "Blocks of changes exchanged");
  add_pair(number(v.bitswap_blocks_in), number(v.bitswap_blocks_out), out);
  out.counter("ipfs_cluster_agent_bitswap_bytes_total", "Their bytes");
  add_pair(number(v.bitswap_bytes_in), number(v.bitswap_bytes_out), out);
  out.counter("ipfs_cluster_agent_bitswap_failed_total", "Blocks that nobody served in time")
      .add(number(v.bitswap_failed));
  out.counter("ipfs_cluster_agent_rpc_calls_total",
              "Calls of other peers; denied: not allowed, refused: over a limit");
  add_labelled(v.rpc_calls, "outcome", "answered", out);
  out.gauge("ipfs_cluster_agent_rpc_running", "Calls of other peers that are being answered")
      .add(number(v.rpc_running));
}

}  // namespace ica::telemetry
