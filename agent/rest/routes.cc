#include "agent/rest/handlers.h"

namespace ica::rest {

std::vector<Route> routes() {
  return {
      // Ours stand in front, where they do not change what a wrong method on the others gives.
      {"POST", "/pins", &post_pins},
      {"GET", "/events", &get_events},
      {"GET", "/repin", &get_repin},
      {"GET", "/repin/plan", &get_repin_plan},
      {"GET", "/rebalance", &get_rebalance},
      {"GET", "/rebalance/plan", &get_rebalance_plan},
      {"POST", "/rebalance/start", &start_rebalance},
      {"POST", "/rebalance/stop", &stop_rebalance},
      {"GET", "/compact", &get_compact},
      {"GET", "/compact/plan", &get_compact_plan},
      {"POST", "/compact/start", &start_compact},
      {"POST", "/peers/{peer}/drain", &drain_peer},
      {"GET", "/peers/{peer}/drain", &get_drain},
      {"POST", "/peers/{peer}/cordon", &cordon_peer},
      {"POST", "/peers/{peer}/uncordon", &uncordon_peer},
      {"GET", "/id", &get_id},
      {"GET", "/version", &get_version},
      {"GET", "/peers", &list_peers},
      {"POST", "/peers", &add_peer},
      {"DELETE", "/peers/{peer}", &remove_peer},
      {"POST", "/add", &add_content},
      {"GET", "/allocations", &list_allocations},
      {"GET", "/allocations/{cid}", &get_allocation},
      {"GET", "/pins", &list_pins},
      {"POST", "/pins/{cid}/recover", &recover_pin},
      {"POST", "/pins/recover", &recover_all_pins},
      {"GET", "/pins/{cid}", &get_pin},
      {"POST", "/pins/{cid}", &post_pin},
      {"POST", "/pins/{kind:ipfs|ipns|ipld}/{path...}", &post_path},
      {"DELETE", "/pins/{cid}", &delete_pin},
      {"DELETE", "/pins/{kind:ipfs|ipns|ipld}/{path...}", &delete_path},
      {"POST", "/ipfs/gc", &collect_garbage},
      {"GET", "/health/graph", &get_graph},
      {"GET", "/health/alerts", &get_alerts},
      {"GET", "/health/bandwidth", &get_bandwidth},
      {"GET", "/health/pinset", &get_pinset_health},  // ours
      {"GET", "/monitor/metrics/{name}", &get_metrics},
      {"GET", "/monitor/metrics", &get_metric_names},
      {"POST", "/token", &get_token},
      {"GET", "/health", &get_health},
      // Ours. GET is taken by the route above, so these change no other path's 404 or 405.
      {"GET", "/health/summary", &get_summary},
      {"GET", "/openapi.json", &get_openapi},
  };
}

}  // namespace ica::rest
