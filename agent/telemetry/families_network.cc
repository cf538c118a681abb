#include "agent/p2p/host_stats.h"
#include "agent/telemetry/families.h"

namespace ica::telemetry {

namespace {

double read(const std::atomic<uint64_t>& counter) {
  return number(counter.load(std::memory_order_relaxed));
}

}  // namespace

void add_network_families(const Sources& sources, Writer& out) {
  static const p2p::HostStats kNone;
  const p2p::HostStats& stats = sources.network == nullptr ? kNone : *sources.network;
  out.gauge("ipfs_cluster_agent_p2p_connections", "Open connections to other peers")
      .add(read(stats.connections));
  out.counter("ipfs_cluster_agent_p2p_connections_total", "Connections that came about");
  out.add(read(stats.accepted), {{"direction", "inbound"}});
  out.add(read(stats.dialled), {{"direction", "outbound"}});
  out.counter("ipfs_cluster_agent_p2p_connect_failures_total",
              "Connections that did not come about; wrong_secret: no common secret, or not a "
              "cluster peer");
  for (const bool inbound : {true, false}) {
    for (size_t i = 0; i < p2p::kConnectFailures; ++i) {
      const auto reason = static_cast<p2p::ConnectFailure>(i);
      out.add(number(stats.failures(inbound, reason)),
              {{"direction", inbound ? "inbound" : "outbound"},
               {"reason", std::string(to_string(reason))}});
    }
  }
  out.counter("ipfs_cluster_agent_p2p_streams_total", "Streams between peers");
  out.add(read(stats.streams_in), {{"direction", "inbound"}});
  out.add(read(stats.streams_out), {{"direction", "outbound"}});
  out.counter("ipfs_cluster_agent_p2p_streams_refused_total",
              "Inbound streams without a handler, or over a limit")
      .add(read(stats.streams_refused));
  out.counter("ipfs_cluster_agent_p2p_violations_total",
              "Connections ended because the other side broke the protocol")
      .add(read(stats.violations));
}

}  // namespace ica::telemetry
