#include "agent/config/field.h"

namespace ica::config {
namespace {

constexpr Field kIpfsHttp[] = {
    {.key = "node_multiaddress",
     .ref = ICA_REF(ipfs_http.node_multiaddress),
     .absent = Absent::Zero,
     .check = Check::NotEmpty,
     .complaint = "ipfshttp.node_multiaddress not set",
     .meaning = "Kubo's RPC API. /dns4/ names and /unix/ sockets work."},
    {.key = "connect_swarms_delay",
     .ref = ICA_REF(ipfs_http.connect_swarms_delay),
     .check = Check::NotNegative,
     .complaint = "ipfshttp.connect_swarms_delay is invalid",
     .meaning =
         "Kubo is connected with the Kubos of the other peers as soon as both are there, and lost "
         "connections are looked for this often; 0: never."},
    {.key = "ipfs_request_timeout",
     .ref = ICA_REF(ipfs_http.ipfs_request_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfshttp.ipfs_request_timeout invalid",
     .meaning = "Limit for a request to Kubo, other than those below."},
    {.key = "pin_timeout",
     .ref = ICA_REF(ipfs_http.pin_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfshttp.pin_timeout invalid",
     .meaning =
         "A pin is given up when Kubo has fetched nothing for this long. Shorter frees the place "
         "of dead content sooner, longer is kinder to slow providers."},
    {.key = "unpin_timeout",
     .ref = ICA_REF(ipfs_http.unpin_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfshttp.unpin_timeout invalid",
     .meaning = "Limit for an unpin, which waits while Kubo collects garbage."},
    {.key = "repogc_timeout",
     .ref = ICA_REF(ipfs_http.repogc_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfshttp.repogc_timeout invalid",
     .meaning = "Limit for a garbage collection."},
    {.key = "informer_trigger_interval",
     .ref = ICA_REF(ipfs_http.informer_trigger_interval),
     .absent = Absent::Zero,
     .check = Check::NotNegative,
     .complaint = "ipfshttp.informer_trigger_interval",
     .meaning = "Publish this peer's metrics after so many pins, besides the periods; 0: never."},
    {.key = "unpin_disable",
     .ref = ICA_REF(ipfs_http.unpin_disable),
     .write = Write::UnlessDefault,
     .meaning = "Make every unpin fail, so that Kubo keeps all content."},
    {.key = "pool_size",
     .ref = ICA_REF(ipfs_http.pool_size),
     .write = Write::UnlessDefault,
     .check = Check::Positive,
     .complaint = "ipfshttp.pool_size is invalid",
     .meaning = "Connections to Kubo at once. Keep it above concurrent_pins.",
     .ours = true},
};

constexpr Field kTracker[] = {
    {.key = "max_pin_queue_size",
     .ref = ICA_REF(tracker.max_pin_queue_size),
     .write = Write::UnlessDefault,
     .check = Check::Positive,
     .complaint = "statelesstracker.max_pin_queue_size too low",
     .meaning = "Pins that may wait for Kubo. The queue is on disk: a high value costs no memory."},
    {.key = "concurrent_pins",
     .ref = ICA_REF(tracker.concurrent_pins),
     .check = Check::Positive,
     .complaint = "statelesstracker.concurrent_pins is too low",
     .meaning =
         "Pins that Kubo works on at once. More helps with many slow providers and costs Kubo's "
         "memory. There is one unpin at a time."},
    {.key = "priority_pin_max_age",
     .ref = ICA_REF(tracker.priority_pin_max_age),
     .check = Check::Positive,
     .complaint = "statelesstracker.priority_pin_max_age is too low",
     .meaning = "Younger pins go before older ones."},
    {.key = "priority_pin_max_retries",
     .ref = ICA_REF(tracker.priority_pin_max_retries),
     .check = Check::Positive,
     .complaint = "statelesstracker.priority_pin_max_retries is too low",
     .meaning = "A pin that failed this often no longer goes before others."},
};

constexpr Field kMonitor[] = {
    {.key = "check_interval",
     .ref = ICA_REF(monitor.check_interval),
     .check = Check::Positive,
     .complaint = "pubsubmon.check_interval too low",
     .meaning = "How often it is checked which peers have gone silent."},
};

constexpr Field kAllocator[] = {
    {.key = "allocate_by",
     .ref = ICA_REF(allocator.allocate_by),
     .check = Check::NotEmpty,
     .complaint = "metricalloc.allocate_by is invalid",
     .meaning =
         "Metrics by which peers are grouped and sorted, first to last. A peer that lacks one of "
         "them gets no pins."},
};

constexpr Field kDisk[] = {
    {.key = "metric_ttl",
     .ref = ICA_REF(informer_disk.metric_ttl),
     .check = Check::Positive,
     .complaint = "disk.metric_ttl is invalid",
     .meaning = "How long the value holds; it is published at half of this."},
    {.key = "metric_type",
     .ref = [](Config& c) -> Ref {
       return Choice{&c.informer_disk.metric_type, "freespace|reposize"};
     },
     .complaint = "disk.metric_type is invalid",
     .meaning = "`freespace`: bytes that Kubo may still use. `reposize`: bytes that it uses."},
};

constexpr Field kPinQueue[] = {
    {.key = "metric_ttl",
     .ref = ICA_REF(informer_pin_queue.metric_ttl),
     .check = Check::Positive,
     .complaint = "pinqueue.metric_ttl is invalid",
     .meaning = "How long the value holds; it is published at half of this."},
    {.key = "weight_bucket_size",
     .ref = ICA_REF(informer_pin_queue.weight_bucket_size),
     .absent = Absent::Zero,
     .check = Check::NotNegative,
     .complaint = "pinqueue.WeightBucketSize is invalid",
     .meaning = "Weight = waiting pins / this. Peers in the same bucket count as equal; 0: exact."},
};

constexpr Field kTags[] = {
    {.key = "metric_ttl",
     .ref = ICA_REF(informer_tags.metric_ttl),
     .check = Check::Positive,
     .complaint = "tags.metric_ttl is invalid",
     .meaning = "How long the values hold; they are published at half of this."},
    {.key = "tags",
     .ref = ICA_REF(informer_tags.tags),
     .absent = Absent::Zero,
     .meaning = "Names and values, each a metric `tag:<name>` for allocate_by, for example the "
                "availability zone. In the environment `name:value,name2:value2`."},
};

constexpr Field kMetrics[] = {
    {.key = "enable_stats",
     .ref = ICA_REF(metrics.enable_stats),
     .absent = Absent::Zero,
     .meaning = "Serve /metrics for Prometheus. /healthz and /readyz are served in any case."},
    {.key = "prometheus_endpoint",
     .ref = ICA_REF(metrics.prometheus_endpoint),
     .meaning = "Where /metrics, /healthz and /readyz are served."},
    {.key = "reporting_interval",
     .ref = ICA_REF(metrics.reporting_interval),
     .check = Check::NotNegative,
     .complaint = "metrics.reporting_interval is invalid",
     .meaning = "Ours are read when they are asked for: accepted and not used."},
};

constexpr Field kTracing[] = {
    {.key = "enable_tracing",
     .ref = ICA_REF(tracing.enable_tracing),
     .absent = Absent::Zero,
     .meaning =
         "Traces to an OpenTelemetry collector (OTLP over HTTP): at http://localhost:4318 unless "
         "OTEL_EXPORTER_OTLP_ENDPOINT says otherwise. See tracing.md."},
    {.key = "jaeger_agent_endpoint",
     .ref = ICA_REF(tracing.jaeger_agent_endpoint),
     .meaning = "Where the Jaeger agent of the reference listens. Read and kept, not used."},
    {.key = "sampling_prob",
     .ref = ICA_REF(tracing.sampling_prob),
     .absent = Absent::Zero,
     .check = Check::NotNegative,
     .complaint = "tracing.sampling_prob is invalid",
     .meaning = "Share of requests that are traced, 0 to 1."},
    {.key = "service_name",
     .ref = ICA_REF(tracing.service_name),
     .absent = Absent::Zero,
     .meaning = "Name under which the traces appear."},
};

constexpr Field kAgent[] = {
    {.key = "folder",
     .ref = ICA_REF(agent.folder),
     .write = Write::UnlessDefault,
     .check = Check::NotEmpty,
     .complaint = "agent.folder is empty",
     .meaning = "The database, relative to the configuration folder.",
     .ours = true},
    {.key = "memory_budget",
     .ref = ICA_REF(agent.memory_budget),
     .write = Write::UnlessDefault,
     .meaning =
         "Bytes for the database's block cache and write buffers together. More makes listings of "
         "large pinsets faster; the rest of the program needs about 20 MiB.",
     .ours = true},
    {.key = "max_api_connections",
     .ref = ICA_REF(agent.max_api_connections),
     .write = Write::UnlessDefault,
     .check = Check::Positive,
     .complaint = "agent.max_api_connections is invalid",
     .meaning = "Open connections to each HTTP API; further ones are closed at once.",
     .ours = true},
    {.key = "login_failures_per_minute",
     .ref = ICA_REF(agent.login_failures_per_minute),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.login_failures_per_minute is invalid",
     .meaning =
         "Wrong passwords or tokens that an address may show to each HTTP API, at once and in a "
         "minute; then it gets 429 until they have faded. 0: no limit, for an API behind a proxy "
         "that shows all clients as one address and has a limit of its own.",
     .ours = true},
    {.key = "bootstrap_dns",
     .ref = ICA_REF(agent.bootstrap_dns),
     .write = Write::UnlessDefault,
     .meaning =
         "Names of peers without their IDs, such as a headless service: `name` or `name:port`. All "
         "their addresses are dialled again and again; who answers with the cluster's secret is a "
         "peer. `CLUSTER_BOOTSTRAP_DNS`, separated by commas, adds to it.",
     .ours = true},
    {.key = "dashboard",
     .ref = ICA_REF(agent.dashboard),
     .write = Write::UnlessDefault,
     .meaning =
         "Whether the REST API shows a read-only page about this peer to browsers that ask for "
         "its `/`. The page needs the credentials that the API needs.",
     .ours = true},
    {.key = "log_format",
     .ref = [](Config& c) -> Ref {
       return Choice{&c.agent.log_format, "text|json"};
     },
     .write = Write::UnlessDefault,
     .complaint = "agent.log_format is invalid",
     .meaning = "`text`, or `json` for one JSON object a line.",
     .ours = true},
    {.key = "log_level",
     .ref = ICA_REF(agent.log_level),
     .write = Write::UnlessDefault,
     .meaning =
         "Log levels, as in IPFS_CLUSTER_LOG_LEVEL, which goes before it, as --loglevel does. "
         "Read again on SIGHUP.",
     .ours = true},
    {.key = "repin_grace",
     .ref = ICA_REF(agent.repin_grace),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.repin_grace is invalid",
     .meaning =
         "How long a peer must be missed before its pins that are below their minimum get new "
         "places. Counted from when its last ping ran out. Longer than a reboot, so that one "
         "moves nothing.",
     .ours = true},
    {.key = "repin_rate",
     .ref = ICA_REF(agent.repin_rate),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.repin_rate is invalid",
     .meaning = "Most pins a second that this peer gives new places. 0: no limit.",
     .ours = true},
    {.key = "move_rate",
     .ref = ICA_REF(agent.move_rate),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.move_rate is invalid",
     .meaning = "Most pins a second that this peer moves for a drain or a rebalance. 0: no limit.",
     .ours = true},
    {.key = "surplus_delay",
     .ref = ICA_REF(agent.surplus_delay),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.surplus_delay is invalid",
     .meaning =
         "How long this peer keeps a pin that was given to others. After that it is let go when "
         "the others say that they hold it, not before.",
     .ours = true},
    {.key = "disk_high_percent",
     .ref = ICA_REF(agent.disk_high_percent),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.disk_high_percent is invalid",
     .meaning =
         "When Kubo's repository uses this share of its limit (or its disk is this full), no pin "
         "is started and no free space is told to the others. 0: no guard.",
     .ours = true},
    {.key = "disk_low_percent",
     .ref = ICA_REF(agent.disk_low_percent),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.disk_low_percent is invalid",
     .meaning = "The share below which pinning goes on again.",
     .ours = true},
    {.key = "disk_path",
     .ref = ICA_REF(agent.disk_path),
     .write = Write::UnlessDefault,
     .meaning =
         "A path on Kubo's disk as this agent sees it. Given, the free space told is the smaller "
         "one of Kubo's limit and the file system.",
     .ours = true},
    {.key = "max_events",
     .ref = ICA_REF(agent.max_events),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "agent.max_events is invalid",
     .meaning = "Events kept for GET /events, the oldest go first. 0: none.",
     .ours = true},
};

Status check_agent(const Config& c) {
  constexpr uint64_t kSmallest = 8 << 20;
  if (c.agent.memory_budget < kSmallest) {
    return fail(Code::InvalidArgument, "agent.memory_budget must be at least {}", kSmallest);
  }
  if (c.agent.disk_high_percent > 100 || c.agent.disk_low_percent > c.agent.disk_high_percent) {
    return fail(Code::InvalidArgument,
                "agent.disk_low_percent must not be above agent.disk_high_percent, nor that above "
                "100");
  }
  return {};
}

constexpr Section kSections[] = {
    {.group = "ipfs_connector",
     .key = "ipfshttp",
     .title = "The Kubo beside this peer",
     .fields = kIpfsHttp},
    {.group = "pin_tracker",
     .key = "stateless",
     .title = "The queue of pins for Kubo",
     .fields = kTracker},
    {.group = "monitor",
     .key = "pubsubmon",
     .title = "Watching the other peers",
     .fields = kMonitor},
    {.group = "allocator",
     .key = "balanced",
     .title = "Which peers hold a pin",
     .fields = kAllocator},
    {.group = "informer",
     .key = "disk",
     .title = "Tells the others how much room Kubo has. Left out of the file: does not",
     .fields = kDisk,
     .enabled = [](Config& c) { return &c.informer_disk.enabled; }},
    {.group = "informer",
     .key = "pinqueue",
     .title = "Tells the others how many pins wait here. Left out of the file: does not",
     .fields = kPinQueue,
     .enabled = [](Config& c) { return &c.informer_pin_queue.enabled; }},
    {.group = "informer",
     .key = "tags",
     .title = "Tells the others the tags of this peer. Left out of the file: does not",
     .fields = kTags,
     .enabled = [](Config& c) { return &c.informer_tags.enabled; }},
    {.group = "observations",
     .key = "metrics",
     .title = "Metrics and health, port 8888",
     .fields = kMetrics},
    {.group = "observations", .key = "tracing", .title = "Traces", .fields = kTracing},
    {.group = "",
     .key = "agent",
     .title = "Settings that the reference does not have; it ignores the section",
     .fields = kAgent,
     .check = check_agent},
};

}  // namespace

std::span<const Section> component_sections() {
  return kSections;
}

}  // namespace ica::config
