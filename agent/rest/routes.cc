#include "agent/rest/handlers.h"

namespace ica::rest {

std::vector<Route> routes() {
  return {
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
  };
}

}  // namespace ica::rest
