#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"

// The settings of a peer, one struct per section of service.json. A value-initialised struct holds
// the defaults that `init` writes. Meaning, unit, environment name and check of each field stand in
// the tables of fields_*.cc and, made from them, in docs/configuration.md.
namespace ica::config {

using Addresses = std::vector<Multiaddr>;
using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

struct ConnectionManager {
  int high_water = 400;
  int low_water = 100;
  Duration grace_period = std::chrono::minutes(2);
};

struct ResourceManager {
  bool enabled = true;
  uint64_t memory_limit_bytes = 0;      // 0: a share of the memory
  uint64_t file_descriptors_limit = 0;  // 0: a share of the limit
};

struct Pubsub {
  Duration seen_messages_ttl = std::chrono::minutes(30);
  Duration heartbeat_interval = std::chrono::seconds(10);
  int d_factor = 4;
  int history_gossip = 2;
  int history_length = 6;
  bool flood_publish = false;
};

struct Cluster {
  Cluster();
  std::string peername;  // default: the host's name
  Bytes secret;          // 32 bytes, or empty: a network without protection
  Bytes secret_old;      // ours: accepted beside `secret` while it is exchanged
  bool leave_on_shutdown = false;
  Addresses listen_multiaddress;
  Addresses announce_multiaddress;
  Addresses no_announce_multiaddress;
  bool enable_relay_hop = true;
  ConnectionManager connection_manager;
  ResourceManager resource_manager;
  Pubsub pubsub;
  Duration dial_peer_timeout = std::chrono::seconds(3);
  Duration state_sync_interval = std::chrono::minutes(5);
  Duration pin_recover_interval = std::chrono::minutes(12);
  int replication_factor_min = -1;
  int replication_factor_max = -1;
  Duration monitor_ping_interval = std::chrono::seconds(15);
  Duration peer_watch_interval = std::chrono::seconds(5);
  Duration mdns_interval = std::chrono::seconds(10);  // 0: no mDNS
  bool pin_only_on_trusted_peers = false;
  bool pin_only_on_untrusted_peers = false;
  bool disable_repinning = false;  // the reference writes true
  bool follower_mode = false;
  std::string peerstore_file = "peerstore";  // relative to the folder
  Addresses peer_addresses;
};

struct TrustedPeers {
  bool all = true;  // "*"
  std::vector<PeerId> peers;
};

struct Batching {
  int max_batch_size = 0;
  Duration max_batch_age{};
  int max_queue_size = 50000;
};

struct Crdt {
  std::string cluster_name = "ipfs-cluster";
  TrustedPeers trusted_peers;
  Batching batching;
  Duration repair_interval = std::chrono::hours(1);
  Duration rebroadcast_interval = std::chrono::minutes(1);
  std::string peerset_metric = "ping";
  std::string datastore_namespace = "/c";
};

// api.restapi and api.pinsvcapi.
struct HttpApi {
  explicit HttpApi(uint16_t port);
  bool enabled = true;  // the section is there
  Addresses http_listen_multiaddress;
  std::string ssl_cert_file;  // relative to the folder, as the next one
  std::string ssl_key_file;
  Duration read_timeout{};
  Duration read_header_timeout = std::chrono::seconds(5);
  Duration write_timeout{};
  Duration idle_timeout = std::chrono::minutes(2);
  int max_header_bytes = 4096;
  Addresses libp2p_listen_multiaddress;
  PeerId id;
  Bytes private_key;                                // as in identity.json, decoded from base64
  std::optional<StringMap> basic_auth_credentials;  // user to password; nothing: no authentication
  std::string http_log_file;
  std::map<std::string, Strings> headers;
  Strings cors_allowed_origins = {"*"};
  Strings cors_allowed_methods = {"GET"};
  Strings cors_allowed_headers;
  Strings cors_exposed_headers = {"Content-Type", "X-Stream-Output", "X-Chunked-Output",
                                  "X-Content-Length"};
  bool cors_allow_credentials = true;
  Duration cors_max_age{};
};

struct IpfsProxy {
  IpfsProxy();
  bool enabled = true;
  Addresses listen_multiaddress;
  Multiaddr node_multiaddress;
  bool node_https = false;
  std::string log_file;
  Duration read_timeout{};
  Duration read_header_timeout = std::chrono::seconds(5);
  Duration write_timeout{};
  Duration idle_timeout = std::chrono::minutes(1);
  int max_header_bytes = 4096;
  Strings extract_headers_extra;
  std::string extract_headers_path = "/api/v0/version";
  Duration extract_headers_ttl = std::chrono::minutes(5);
};

struct IpfsHttp {
  IpfsHttp();
  Multiaddr node_multiaddress;
  Duration connect_swarms_delay = std::chrono::seconds(30);
  Duration ipfs_request_timeout = std::chrono::minutes(5);
  Duration pin_timeout = std::chrono::minutes(2);
  Duration unpin_timeout = std::chrono::hours(3);
  Duration repogc_timeout = std::chrono::hours(24);
  int informer_trigger_interval = 0;
  bool unpin_disable = false;
  int pool_size = 32;  // ours: connections to Kubo
};

struct StatelessTracker {
  int max_pin_queue_size = 1'000'000;
  int concurrent_pins = 10;
  Duration priority_pin_max_age = std::chrono::hours(24);
  int priority_pin_max_retries = 5;
};

struct PubsubMon {
  Duration check_interval = std::chrono::seconds(15);
};

struct BalancedAllocator {
  Strings allocate_by = {"tag:group", "freespace"};
};

struct InformerDisk {
  bool enabled = true;
  Duration metric_ttl = std::chrono::seconds(30);
  std::string metric_type = "freespace";  // or "reposize"
};

struct InformerPinQueue {
  bool enabled = true;
  Duration metric_ttl = std::chrono::seconds(30);
  int weight_bucket_size = 100000;
};

struct InformerTags {
  bool enabled = true;
  Duration metric_ttl = std::chrono::seconds(30);
  StringMap tags = {{"group", "default"}};
};

struct Metrics {
  Metrics();
  bool enable_stats = false;
  Multiaddr prometheus_endpoint;
  Duration reporting_interval = std::chrono::seconds(30);
};

struct Tracing {
  Tracing();
  bool enable_tracing = false;
  Multiaddr jaeger_agent_endpoint;
  double sampling_prob = 0.3;
  std::string service_name = "cluster-daemon";
};

// Go's storage. Kept as it stands in the file for the way back; we store in agent.folder.
struct Datastore {
  std::string name = "pebble";  // pebble, leveldb, badger3, badger; empty: none or several
};

// Ours; the reference ignores the section.
struct Agent {
  std::string folder = "store";       // the database, relative to the configuration folder
  uint64_t memory_budget = 64 << 20;  // bytes, block cache and write buffers together
  int max_api_connections = 12000;
  int login_failures_per_minute = 120;  // of one address at each HTTP API; 0: no limit
  Strings bootstrap_dns;                // names whose addresses are all dialled
  bool dashboard = true;                // GET / of the REST API for browsers
  std::string log_format = "text";      // or "json"
  std::string log_level = "info";       // as IPFS_CLUSTER_LOG_LEVEL, which goes before it
  Duration repin_grace = std::chrono::minutes(5);
  int repin_rate = 1200;  // pins a second; 0: no limit
  int move_rate = 100;    // as well, of drain and rebalance
  Duration surplus_delay = std::chrono::minutes(1);
  int disk_high_percent = 95;  // 0: no guard
  int disk_low_percent = 90;
  std::string disk_path;  // empty: only what Kubo says
  int max_events = 100'000;
};

struct Config {
  Config();
  std::filesystem::path folder;  // where service.json is
  Cluster cluster;
  Crdt crdt;
  HttpApi rest_api;
  HttpApi pinsvc_api;
  IpfsProxy ipfs_proxy;
  IpfsHttp ipfs_http;
  StatelessTracker tracker;
  PubsubMon monitor;
  BalancedAllocator allocator;
  InformerDisk informer_disk;
  InformerPinQueue informer_pin_queue;
  InformerTags informer_tags;
  Metrics metrics;
  Tracing tracing;
  Datastore datastore;
  Agent agent;

  // A path of the settings: as it is when absolute, else below the folder.
  std::filesystem::path resolve(const std::string& path) const;
};

}  // namespace ica::config
