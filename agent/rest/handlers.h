#pragma once

#include "agent/rest/exchange.h"

// One function per route, by concept in a file each.
namespace ica::rest {

// pins.cc
Task<void> list_pins(Exchange& exchange);
Task<void> get_pin(Exchange& exchange);
Task<void> recover_pin(Exchange& exchange);
Task<void> recover_all_pins(Exchange& exchange);
Task<void> post_pin(Exchange& exchange);
Task<void> delete_pin(Exchange& exchange);
Task<void> post_path(Exchange& exchange);
Task<void> delete_path(Exchange& exchange);
// allocations.cc
Task<void> list_allocations(Exchange& exchange);
Task<void> get_allocation(Exchange& exchange);
// peers.cc
Task<void> get_id(Exchange& exchange);
Task<void> get_version(Exchange& exchange);
Task<void> list_peers(Exchange& exchange);
Task<void> add_peer(Exchange& exchange);
Task<void> remove_peer(Exchange& exchange);
Task<void> collect_garbage(Exchange& exchange);
// health.cc
Task<void> get_health(Exchange& exchange);
Task<void> get_pinset_health(Exchange& exchange);
Task<void> get_graph(Exchange& exchange);
Task<void> get_alerts(Exchange& exchange);
Task<void> get_bandwidth(Exchange& exchange);
Task<void> get_metrics(Exchange& exchange);
Task<void> get_metric_names(Exchange& exchange);
Task<void> get_token(Exchange& exchange);
// summary.cc
Task<void> get_summary(Exchange& exchange);
// pages.cc
Task<void> get_openapi(Exchange& exchange);
Task<bool> show_dashboard(web::Exchange& exchange);  // false: no browser asks
// bulk.cc, compact.cc, events.cc, orchestration.cc; ours
Task<void> post_pins(Exchange& exchange);
Task<void> get_events(Exchange& exchange);
Task<void> get_repin(Exchange& exchange);
Task<void> get_repin_plan(Exchange& exchange);
Task<void> drain_peer(Exchange& exchange);
Task<void> cordon_peer(Exchange& exchange);
Task<void> uncordon_peer(Exchange& exchange);
Task<void> get_drain(Exchange& exchange);
Task<void> get_rebalance(Exchange& exchange);
Task<void> get_rebalance_plan(Exchange& exchange);
Task<void> start_rebalance(Exchange& exchange);
Task<void> stop_rebalance(Exchange& exchange);
Task<void> get_compact(Exchange& exchange);
Task<void> get_compact_plan(Exchange& exchange);
Task<void> start_compact(Exchange& exchange);
// add.cc
Task<void> add_content(Exchange& exchange);

}  // namespace ica::rest
