#include "agent/telemetry/metrics.h"

#include <doctest/doctest.h>
#include <map>
#include <set>
#include <sstream>

using namespace ica;
using namespace ica::telemetry;

namespace {

struct Family {
  std::string type;
  std::string help;
  std::map<std::string, double> samples;  // by name and labels
};

// Reads Prometheus' text format as strictly as we write it: HELP, TYPE, samples of that family.
std::map<std::string, Family> parse(const std::string& text) {
  std::map<std::string, Family> families;
  std::istringstream lines(text);
  std::string line;
  std::string current;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    std::string name;
    words >> first;
    if (first == "#") {
      words >> second >> name;
      std::string rest;
      std::getline(words >> std::ws, rest);
      (second == "HELP" ? families[name].help : families[name].type) = rest;
      current = name;
      continue;
    }
    REQUIRE(first.starts_with(current));
    const size_t blank = line.rfind(' ');
    REQUIRE(blank != std::string::npos);
    const auto key = line.substr(0, blank);
    CHECK(families[current].samples.emplace(key, std::stod(line.substr(blank + 1))).second);
  }
  return families;
}

// The whole list, with types: dashboards, alerts and docs/metrics.md rely on it.
const std::map<std::string, std::string> kNames = {
    {"ipfscluster_pins", "gauge"},
    {"ipfscluster_pins_pin_queued", "gauge"},
    {"ipfscluster_pins_pinning", "gauge"},
    {"ipfscluster_pins_pin_error", "gauge"},
    {"ipfscluster_pins_ipfs_pins", "gauge"},
    {"ipfscluster_pins_pin_add", "counter"},
    {"ipfscluster_pins_pin_add_errors", "counter"},
    {"ipfscluster_blocks_put", "counter"},
    {"ipfscluster_blocks_added_size", "counter"},
    {"ipfscluster_blocks_added", "counter"},
    {"ipfscluster_blocks_put_errors", "counter"},
    {"ipfscluster_informer_disk", "gauge"},
    {"cluster_peers_total", "gauge"},
    {"cluster_pins_total", "gauge"},
    {"cluster_pins_pinned", "gauge"},
    {"cluster_pins_pin_error", "gauge"},
    {"cluster_pins_queued", "gauge"},
    {"cluster_pins_pin_duration_seconds", "histogram"},
    {"ipfs_repo_size_bytes", "gauge"},
    {"ipfs_repo_objects_total", "gauge"},
    {"go_goroutines", "gauge"},
    {"go_memstats_alloc_bytes", "gauge"},
    {"process_cpu_seconds_total", "counter"},
    {"process_max_fds", "gauge"},
    {"process_open_fds", "gauge"},
    {"process_resident_memory_bytes", "gauge"},
    {"process_start_time_seconds", "gauge"},
    {"process_virtual_memory_bytes", "gauge"},
    {"ipfs_cluster_agent_info", "gauge"},
    {"ipfs_cluster_agent_threads", "gauge"},
    {"ipfs_cluster_agent_kubo_reachable", "gauge"},
    {"ipfs_cluster_agent_kubo_storage_max_bytes", "gauge"},
    {"ipfs_cluster_agent_kubo_call_duration_seconds", "histogram"},
    {"ipfs_cluster_agent_pins", "gauge"},
    {"ipfs_cluster_agent_queue_oldest_seconds", "gauge"},
    {"ipfs_cluster_agent_crdt_heads", "gauge"},
    {"ipfs_cluster_agent_crdt_height", "gauge"},
    {"ipfs_cluster_agent_crdt_blocks", "gauge"},
    {"ipfs_cluster_agent_crdt_pending", "gauge"},
    {"ipfs_cluster_agent_crdt_synced_to", "gauge"},
    {"ipfs_cluster_agent_crdt_blocks_per_pin", "gauge"},
    {"ipfs_cluster_agent_store_bytes_per_pin", "gauge"},
    {"ipfs_cluster_agent_state_digest", "gauge"},
    {"ipfs_cluster_agent_alerts", "gauge"},
    {"ipfs_cluster_agent_store_disk_bytes", "gauge"},
    {"ipfs_cluster_agent_store_memory_bytes", "gauge"},
    {"ipfs_cluster_agent_store_keys", "gauge"},
    {"ipfs_cluster_agent_store_commits_total", "counter"},
    {"ipfs_cluster_agent_store_synced_commits_total", "counter"},
    {"ipfs_cluster_agent_store_sync_seconds_total", "counter"},
    {"ipfs_cluster_agent_store_stalls_total", "counter"},
    {"ipfs_cluster_agent_http_requests_total", "counter"},
    {"ipfs_cluster_agent_http_connections_total", "counter"},
    {"ipfs_cluster_agent_http_refused_total", "counter"},
    {"ipfs_cluster_agent_http_connections", "gauge"},
    {"ipfs_cluster_agent_connections", "gauge"},
    {"ipfs_cluster_agent_connections_total", "counter"},
    {"ipfs_cluster_agent_connection_failures_total", "counter"},
    {"ipfs_cluster_agent_streams", "gauge"},
    {"ipfs_cluster_agent_peer_violations_total", "counter"},
    {"ipfs_cluster_agent_streams_refused_total", "counter"},
    {"ipfs_cluster_agent_gossip_peers", "gauge"},
    {"ipfs_cluster_agent_gossip_messages_total", "counter"},
    {"ipfs_cluster_agent_gossip_dropped_total", "counter"},
    {"ipfs_cluster_agent_gossip_rejected_total", "counter"},
    {"ipfs_cluster_agent_bitswap_blocks_total", "counter"},
    {"ipfs_cluster_agent_bitswap_bytes_total", "counter"},
    {"ipfs_cluster_agent_bitswap_failed_total", "counter"},
    {"ipfs_cluster_agent_rpc_calls_total", "counter"},
    {"ipfs_cluster_agent_rpc_running", "gauge"},
};

}  // namespace

TEST_CASE("metrics: every name is there at the first scrape, with help, type and a value") {
  const auto families = parse(metrics_text(Sources{}));
  for (const auto& [name, type] : kNames) {
    CAPTURE(name);
    const auto found = families.find(name);
    REQUIRE(found != families.end());
    CHECK(found->second.type == type);
    CHECK(!found->second.help.empty());
    CHECK(!found->second.samples.empty());
  }
  for (const auto& [name, family] : families) {
    CHECK_MESSAGE(kNames.count(name) == 1, name, " is not in the list");
  }
}

TEST_CASE("metrics: values come from their owners at each scrape") {
  http::ServerStats rest;
  rest.requests = 7;
  rest.open = 3;
  uint64_t pins = 10;
  Sources sources;
  sources.pinset = [&pins] {
    return crdt::PinsetInfo{.pins = pins, .heads = 2, .digest = 0xfffffffffffff000};
  };
  sources.tracker = [] {
    tracker::TrackerCounts counts;
    counts.pinned = 5;
    counts.pinning = 1;
    counts.pin_queued = 2;
    counts.pin_error = 4;
    counts.unpin_queued = 8;
    counts.remote = 100;
    counts.oldest_queued = std::chrono::milliseconds(1500);
    return counts;
  };
  sources.kubo_calls = [] {
    ipfs::CallStats ok{.verb = "pin/add", .outcome = "ok", .count = 3, .seconds = 4.5};
    ok.buckets[0] = 1;
    ok.buckets[5] = 2;
    ipfs::CallStats late{.verb = "pin/add", .outcome = "timeout", .count = 2, .seconds = 240};
    late.buckets.back() = 2;
    return std::vector{ok, late};
  };
  sources.kubo_reachable = [] { return true; };
  sources.repo = [] { return RepoValues{.size = 1000, .storage_max = 2000, .objects = 30}; };
  sources.blocks = [] { return BlockValues{.requests = 1, .failed = 2, .blocks = 3, .bytes = 4}; };
  sources.peers = [] { return size_t{3}; };
  sources.disk_weight = [] { return int64_t{77}; };
  sources.apis = {{"rest", &rest}};

  auto families = parse(metrics_text(sources));
  const auto value = [&](const std::string& name, const std::string& key) {
    CAPTURE(key);
    const auto& samples = families.at(name).samples;
    REQUIRE(samples.count(key) == 1);
    return samples.at(key);
  };
  const auto plain = [&](const std::string& name) { return value(name, name); };
  CHECK(plain("ipfscluster_pins") == 10);
  CHECK(plain("ipfscluster_pins_pin_add") == 5);
  CHECK(plain("ipfscluster_pins_pin_add_errors") == 2);
  CHECK(plain("ipfscluster_blocks_put") == 1);
  CHECK(plain("ipfscluster_blocks_put_errors") == 2);
  CHECK(plain("ipfscluster_blocks_added") == 3);
  CHECK(plain("ipfscluster_blocks_added_size") == 4);
  CHECK(plain("ipfscluster_informer_disk") == 77);
  CHECK(plain("cluster_peers_total") == 3);
  CHECK(plain("cluster_pins_total") == 12);
  CHECK(plain("cluster_pins_queued") == 10);
  CHECK(plain("ipfs_repo_size_bytes") == 1000);
  CHECK(plain("ipfs_repo_objects_total") == 30);
  CHECK(plain("ipfs_cluster_agent_queue_oldest_seconds") == 1.5);
  CHECK(plain("ipfs_cluster_agent_state_digest") == 4503599627370495.0);
  const std::string duration = "cluster_pins_pin_duration_seconds";
  CHECK(value(duration, duration + "_count") == 3);
  CHECK(value(duration, duration + "_sum") == 4.5);
  CHECK(value(duration, duration + "_bucket{le=\"0.001\"}") == 1);
  CHECK(value(duration, duration + "_bucket{le=\"2\"}") == 3);
  CHECK(value(duration, duration + "_bucket{le=\"+Inf\"}") == 3);
  CHECK(value("ipfs_cluster_agent_http_requests_total",
              "ipfs_cluster_agent_http_requests_total{api=\"rest\"}") == 7);
  CHECK(value("ipfs_cluster_agent_pins", "ipfs_cluster_agent_pins{status=\"remote\"}") == 100);

  pins = 11;
  families = parse(metrics_text(sources));
  CHECK(plain("ipfscluster_pins") == 11);
}

TEST_CASE("metrics: labels are from fixed sets") {
  const auto families = parse(metrics_text(Sources{}));
  const std::set<std::string> known = {"le",      "verb",  "outcome",   "status", "family",  "api",
                                       "version", "build", "direction", "reason", "protocol"};
  for (const auto& [name, family] : families) {
    for (const auto& [key, value] : family.samples) {
      for (size_t at = key.find('{'); at < key.size();) {
        const size_t equals = key.find('=', at);
        if (equals == std::string::npos) {
          break;
        }
        CHECK(known.count(key.substr(at + 1, equals - at - 1)) == 1);
        at = key.find(',', equals);
      }
    }
  }
}

TEST_CASE("metrics: the process is described") {
  const auto families = parse(metrics_text(Sources{}));
  const auto plain = [&](const std::string& name) { return families.at(name).samples.at(name); };
  CHECK(plain("process_resident_memory_bytes") > 1 << 20);
  CHECK(plain("process_virtual_memory_bytes") > plain("process_resident_memory_bytes"));
  CHECK(plain("process_open_fds") >= 3);
  CHECK(plain("process_max_fds") >= plain("process_open_fds"));
  CHECK(plain("process_start_time_seconds") > 1.6e9);
  CHECK(plain("go_goroutines") >= 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they have their own heap
  CHECK(plain("go_memstats_alloc_bytes") > 0);
#endif
}

TEST_CASE("metrics: what happens on 9096, by direction and reason") {
  Sources sources;
  sources.network = [] {
    NetworkValues values;
    values.inbound = {.connections = 3, .failures = {{"wrong_secret", 2}, {"timeout", 0}}};
    values.outbound = {.connections = 4, .failures = {{"wrong_secret", 7}}};
    values.open_connections = 5;
    values.inbound.open_streams = 8;
    values.violations = {{"connection", 1}, {"gossip", 9}};
    values.gossip_in = 11;
    values.bitswap_bytes_out = 13;
    return values;
  };
  const auto families = parse(metrics_text(sources));
  const auto sample = [&](const std::string& name, const std::string& labels) {
    return families.at(name).samples.at(name + labels);
  };
  CHECK(sample("ipfs_cluster_agent_connections", "") == 5);
  CHECK(sample("ipfs_cluster_agent_connections_total", "{direction=\"in\"}") == 3);
  CHECK(sample("ipfs_cluster_agent_connection_failures_total",
               "{direction=\"out\",reason=\"wrong_secret\"}") == 7);
  CHECK(sample("ipfs_cluster_agent_streams", "{direction=\"in\"}") == 8);
  CHECK(sample("ipfs_cluster_agent_peer_violations_total", "{protocol=\"gossip\"}") == 9);
  CHECK(sample("ipfs_cluster_agent_gossip_messages_total", "{direction=\"in\"}") == 11);
  CHECK(sample("ipfs_cluster_agent_bitswap_bytes_total", "{direction=\"out\"}") == 13);
}
