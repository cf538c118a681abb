#include "agent/telemetry/families.h"

// The names that others rely on: the reference's, and those of the operators' guide.
namespace ica::telemetry {
namespace {

constexpr std::string_view kPinAdd = "pin/add";

uint64_t pin_calls(const Values& values, bool failed) {
  uint64_t count = 0;
  for (const auto& calls : values.calls) {
    if (calls.verb == kPinAdd && !(failed && calls.outcome == "ok")) {
      count += calls.count;
    }
  }
  return count;
}

// What this peer has to hold. Summed over the peers it counts each copy once, and the share of
// cluster_pins_pinned in it is a success rate.
uint64_t tracked_here(const tracker::TrackerCounts& counts) {
  return counts.pinned + counts.pinning + counts.pin_queued + counts.pin_error +
         counts.unexpectedly_unpinned;
}

ipfs::CallStats pin_durations(const Values& values) {
  for (const auto& calls : values.calls) {
    if (calls.verb == kPinAdd && calls.outcome == "ok") {
      return calls;
    }
  }
  return {};
}

uint64_t open_connections(const Sources& sources) {
  int64_t open = 0;
  for (const auto& [name, stats] : sources.apis) {
    open += stats->open.load(std::memory_order_relaxed);
  }
  return static_cast<uint64_t>(std::max<int64_t>(open, 0));
}

}  // namespace

void add_reference_families(const Values& v, Writer& out) {
  out.gauge("ipfscluster_pins", "Total number of cluster pins").add(number(v.pinset.pins));
  out.gauge("ipfscluster_pins_pin_queued", "Current number of pins queued for pinning")
      .add(number(v.tracker.pin_queued));
  out.gauge("ipfscluster_pins_pinning", "Current number of pins currently pinning")
      .add(number(v.tracker.pinning));
  out.gauge("ipfscluster_pins_pin_error", "Current number of pins in pin_error state")
      .add(number(v.tracker.pin_error));
  out.gauge("ipfscluster_pins_ipfs_pins", "Current number of items pinned on IPFS")
      .add(number(v.tracker.pinned));
  out.counter("ipfscluster_pins_pin_add", "Total number of IPFS pin requests")
      .add(number(pin_calls(v, false)));
  out.counter("ipfscluster_pins_pin_add_errors", "Total number of failed pin requests")
      .add(number(pin_calls(v, true)));
  out.counter("ipfscluster_blocks_put", "Total number of blocks/put requests")
      .add(number(v.blocks.requests));
  out.counter("ipfscluster_blocks_added_size", "Total size of blocks added in bytes")
      .add(number(v.blocks.bytes));
  out.counter("ipfscluster_blocks_added", "Total number of blocks added")
      .add(number(v.blocks.blocks));
  out.counter("ipfscluster_blocks_put_errors", "Total number of block/put errors")
      .add(number(v.blocks.failed));
  out.gauge("ipfscluster_informer_disk", "The metric value weight issued by disk informer")
      .add(number(v.disk_weight));
}

void add_operator_families(const Values& v, const Sources& sources, Writer& out) {
  out.gauge("cluster_peers_total", "Peers of the cluster that are alive, this one included")
      .add(number(v.peers));
  out.gauge("cluster_pins_total", "Pins that this peer has to hold")
      .add(number(tracked_here(v.tracker)));
  out.gauge("cluster_pins_pinned", "Pins that this peer holds").add(number(v.tracker.pinned));
  out.gauge("cluster_pins_pin_error", "Pins that failed on this peer")
      .add(number(v.tracker.pin_error));
  out.gauge("cluster_pins_queued", "Pins and unpins that wait on this peer")
      .add(number(v.tracker.pin_queued + v.tracker.unpin_queued));
  out.histogram("cluster_pins_pin_duration_seconds", "Time that Kubo took for each successful pin")
      .add(pin_durations(v));
  out.gauge("ipfs_repo_size_bytes", "Size of Kubo's repository").add(number(v.repo.size));
  out.gauge("ipfs_repo_objects_total", "Objects in Kubo's repository").add(number(v.repo.objects));

  const auto& p = v.process;
  out.gauge("go_goroutines",
            "Threads, open API connections and running pins; named for dashboards of the Go peer")
      .add(number(p.threads + open_connections(sources) + v.tracker.pinning));
  out.gauge("go_memstats_alloc_bytes",
            "Bytes allocated and in use; named for dashboards of the Go peer")
      .add(number(p.allocated_bytes));
  out.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
      .add(p.cpu_seconds);
  out.gauge("process_max_fds", "Maximum number of open file descriptors.").add(number(p.max_files));
  out.gauge("process_open_fds", "Number of open file descriptors.").add(number(p.open_files));
  out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
      .add(number(p.resident_bytes));
  out.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
      .add(p.start_time_seconds);
  out.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")
      .add(number(p.virtual_bytes));
}

}  // namespace ica::telemetry
