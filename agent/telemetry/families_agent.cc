#include "agent/telemetry/families.h"
#include "common/api/peer.h"
#include "common/base/build_info.h"

// Our own names.
namespace ica::telemetry {
namespace {

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

void add_kubo(const Values& v, Writer& out) {
  out.gauge("ipfs_cluster_agent_kubo_reachable", "1 when the last call reached Kubo")
      .add(v.kubo_reachable ? 1 : 0);
  out.gauge("ipfs_cluster_agent_kubo_storage_max_bytes", "Limit of Kubo's repository")
      .add(number(v.repo.storage_max));
  out.histogram("ipfs_cluster_agent_kubo_call_duration_seconds",
                "Duration of calls to Kubo by verb and outcome");
  bool any = false;
  for (const auto& calls : v.calls) {
    out.add(calls, {{"verb", std::string(calls.verb)}, {"outcome", std::string(calls.outcome)}});
    any = true;
  }
  if (!any) {  // so that the name is there before the first call
    out.add(ipfs::CallStats{}, {{"verb", "id"}, {"outcome", "ok"}});
  }
}

void add_pins(const Values& v, Writer& out) {
  const auto& t = v.tracker;
  out.gauge("ipfs_cluster_agent_pins", "Pins by their status on this peer");
  const std::pair<const char*, uint64_t> counts[] = {
      {"pinned", t.pinned},
      {"pinning", t.pinning},
      {"pin_queued", t.pin_queued},
      {"pin_error", t.pin_error},
      {"unpinning", t.unpinning},
      {"unpin_queued", t.unpin_queued},
      {"unpin_error", t.unpin_error},
      {"remote", t.remote},
      {"unexpectedly_unpinned", t.unexpectedly_unpinned},
  };
  for (const auto& [status, count] : counts) {
    out.add(number(count), {{"status", status}});
  }
  out.gauge("ipfs_cluster_agent_queue_oldest_seconds", "Age of the oldest item that waits for Kubo")
      .add(seconds(t.oldest_queued));
}

void add_state(const Values& v, Writer& out) {
  out.gauge("ipfs_cluster_agent_crdt_heads", "Newest changes that no other change follows")
      .add(number(v.pinset.heads));
  out.gauge("ipfs_cluster_agent_crdt_height", "Length of the longest chain of changes")
      .add(number(v.pinset.height));
  out.gauge("ipfs_cluster_agent_crdt_blocks", "Changes that are held").add(number(v.pinset.blocks));
  out.gauge("ipfs_cluster_agent_crdt_pending", "Changes that are known and not merged yet")
      .add(number(v.pinset.work));
  // A double holds 53 bits; the upper 52 of the hash tell two states apart well enough.
  out.gauge("ipfs_cluster_agent_state_digest",
            "Hash over the pinset, cut to 52 bits; peers with the same pinset show the same number")
      .add(number(v.pinset.digest >> 12));
  out.gauge("ipfs_cluster_agent_alerts", "Alerts in the list").add(number(v.alerts));
}

void add_store(const Values& v, Writer& out) {
  const auto& s = v.store;
  out.gauge("ipfs_cluster_agent_store_disk_bytes", "Disk space of the database")
      .add(number(s.disk_bytes));
  out.gauge("ipfs_cluster_agent_store_memory_bytes", "Block cache and write buffers in use")
      .add(number(s.memory_bytes));
  out.gauge("ipfs_cluster_agent_store_keys", "Keys by column family, estimated");
  for (size_t i = 0; i < store::kFamilies; ++i) {
    out.add(number(s.families[i].keys_estimate),
            {{"family", std::string(to_string(static_cast<store::Family>(i)))}});
  }
  out.counter("ipfs_cluster_agent_store_commits_total", "Batches written").add(number(s.commits));
  out.counter("ipfs_cluster_agent_store_synced_commits_total", "Batches written and synced")
      .add(number(s.synced_commits));
  out.counter("ipfs_cluster_agent_store_sync_seconds_total", "Time spent in synced batches")
      .add(s.sync_seconds);
  out.counter("ipfs_cluster_agent_store_stalls_total", "Times that writing was held back")
      .add(number(s.stalls));
}

void add_apis(const Sources& sources, Writer& out) {
  const auto each = [&](auto member) {
    if (sources.apis.empty()) {
      out.add(0, {{"api", "rest"}});
    }
    for (const auto& [name, stats] : sources.apis) {
      out.add(number((stats->*member).load(std::memory_order_relaxed)), {{"api", name}});
    }
  };
  out.counter("ipfs_cluster_agent_http_requests_total", "Requests to the HTTP APIs");
  each(&http::ServerStats::requests);
  out.counter("ipfs_cluster_agent_http_connections_total", "Connections to the HTTP APIs");
  each(&http::ServerStats::accepted);
  out.counter("ipfs_cluster_agent_http_refused_total", "Connections refused as too many");
  each(&http::ServerStats::refused);
  out.gauge("ipfs_cluster_agent_http_connections", "Open connections to the HTTP APIs");
  each(&http::ServerStats::open);
}

}  // namespace

void add_agent_families(const Values& v, const Sources& sources, Writer& out) {
  out.gauge("ipfs_cluster_agent_info", "1; the versions are in the labels")
      .add(1, {{"version", std::string(api::kReferenceVersion)},
               {"build", std::string(build_version())}});
  out.gauge("ipfs_cluster_agent_threads", "Threads of the process").add(number(v.process.threads));
  add_kubo(v, out);
  add_pins(v, out);
  add_state(v, out);
  add_store(v, out);
  add_apis(sources, out);
  add_network_families(sources, out);
}

}  // namespace ica::telemetry
