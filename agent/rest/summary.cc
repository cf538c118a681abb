#include "agent/rest/handlers.h"
#include "common/base/json_writer.h"

namespace ica::rest {
namespace {

void write_counts(JsonWriter& json, const tracker::TrackerCounts& counts) {
  json.begin_object();
  json.key("pinned").number(counts.pinned);
  json.key("pinning").number(counts.pinning);
  json.key("pin_queued").number(counts.pin_queued);
  json.key("pin_error").number(counts.pin_error);
  json.key("unpinning").number(counts.unpinning);
  json.key("unpin_queued").number(counts.unpin_queued);
  json.key("unpin_error").number(counts.unpin_error);
  json.key("remote").number(counts.remote);
  json.key("sharded").number(counts.sharded);
  json.key("unexpectedly_unpinned").number(counts.unexpectedly_unpinned);
  json.end_object();
}

}  // namespace

// Everything here is counted as it changes; asking costs nothing.
Task<void> get_summary(Exchange& exchange) {
  const auto& cluster = exchange.cluster;
  const auto counts = cluster.own_counts();
  const auto pins = cluster.pinset_info();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("id").string(cluster.self().text());
  json.key("peername").string(cluster.settings().cluster.peername);
  json.key("version").string(api::kReferenceVersion);
  json.key("kubo_reachable").boolean(cluster.kubo_reachable());
  json.key("pins").number(pins.pins);
  // Peers with the same pinset show the same text.
  json.key("digest").string(fmt::format("{:016x}", pins.digest));
  json.key("heads").number(pins.heads);
  json.key("height").number(pins.height);
  json.key("unmerged").number(pins.work);
  json.key("status");
  write_counts(json, counts);
  json.key("oldest_queued_seconds")
      .number(static_cast<int64_t>(
          std::chrono::duration_cast<std::chrono::seconds>(counts.oldest_queued).count()));
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

}  // namespace ica::rest
