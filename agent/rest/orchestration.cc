// Lost peers, drain, cordon: routes that the reference does not have.
#include "agent/cluster/orchestrator.h"
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"

namespace ica::cluster {

// Found by send_stream through its argument.
void write_json(JsonWriter& json, const PlannedMove& move) {
  json.begin_object();
  json.key("cid").string(move.cid.text());
  rest::write_peers(json, "from", move.from);
  rest::write_peers(json, "to", move.to);
  json.key("error").string(move.error);
  json.end_object();
}

}  // namespace ica::cluster

namespace ica::rest {
namespace {

std::string peername(const Exchange& exchange, const PeerId& peer) {
  return exchange.cluster.peername(peer);
}

std::string repin_json(const Exchange& exchange, const cluster::RepinStatus& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("enabled").boolean(status.enabled);
  json.key("cut_off").boolean(status.cut_off);
  json.key("grace").string(format_duration(status.grace));
  json.key("peers_alive").number(static_cast<uint64_t>(status.alive));
  json.key("peers_known").number(static_cast<uint64_t>(status.known));
  json.key("lost").begin_array();
  for (const auto& lost : status.peers) {
    json.begin_object();
    json.key("peer").string(lost.peer.text());
    json.key("peername").string(peername(exchange, lost.peer));
    json.key("since").string(lost.since.utc().rfc3339());
    json.key("due").string(lost.due.utc().rfc3339());
    json.key("state").string(cluster::to_string(lost.state));
    json.key("pins").number(static_cast<uint64_t>(lost.pins));
    json.key("moved").number(static_cast<uint64_t>(lost.moved));
    json.key("left_to_others").number(static_cast<uint64_t>(lost.left_to_others));
    json.key("too_few_peers").number(static_cast<uint64_t>(lost.too_few_peers));
    json.end_object();
  }
  json.end_array();
  json.key("past").begin_array();
  for (const auto& past : status.past) {
    json.begin_object();
    json.key("peer").string(past.peer.text());
    json.key("peername").string(peername(exchange, past.peer));
    json.key("since").string(past.since.utc().rfc3339());
    json.key("ended").string(past.ended.utc().rfc3339());
    json.key("back").boolean(past.back);
    json.key("moved").number(static_cast<uint64_t>(past.moved));
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return out;
}

Task<void> send_drain(Exchange& exchange, PeerId peer) {
  const auto status = co_await exchange.cluster.orchestrator().drain_status(peer);
  if (!status) {
    co_await exchange.send_error(status.error());
    co_return;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("peer").string(peer.text());
  json.key("peername").string(peername(exchange, peer));
  json.key("mode").string(cluster::to_string(status->mode));
  json.key("alive").boolean(status->alive);
  json.key("remaining").number(static_cast<uint64_t>(status->remaining));
  json.key("waiting").number(static_cast<uint64_t>(status->waiting));
  json.key("blocked").number(static_cast<uint64_t>(status->blocked));
  json.key("moved").number(static_cast<uint64_t>(status->moved));
  json.key("safe").boolean(status->safe());
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

Task<void> order_peer(Exchange& exchange, cluster::PeerMode mode) {
  const auto peer = co_await or_bad_request(exchange, read_peer(exchange.var("peer")));
  if (!peer) {
    co_return;
  }
  const Status ordered = co_await exchange.cluster.orchestrator().order(*peer, mode);
  if (!ordered) {
    co_await exchange.send_error(ordered.error());
    co_return;
  }
  co_await send_drain(exchange, *peer);
}

std::string rebalance_json(const cluster::RebalanceStatus& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("running").boolean(status.running);
  json.key("left").number(status.left);
  json.key("waiting").number(status.waiting);
  json.key("moved").number(status.moved);
  json.key("stopped").string(status.stopped);
  json.end_object();
  return out;
}

Task<void> send_rebalance(Exchange& exchange, Status outcome) {
  if (!outcome) {
    co_await exchange.send_error(outcome.error());
    co_return;
  }
  co_await exchange.send(200, rebalance_json(exchange.cluster.orchestrator().rebalance_status()));
}

}  // namespace

Task<void> get_rebalance(Exchange& exchange) {
  return send_rebalance(exchange, {});
}

Task<void> start_rebalance(Exchange& exchange) {
  Status started = co_await exchange.cluster.orchestrator().rebalance_start();
  co_await send_rebalance(exchange, std::move(started));
}

Task<void> stop_rebalance(Exchange& exchange) {
  Status stopped = co_await exchange.cluster.orchestrator().rebalance_stop();
  co_await send_rebalance(exchange, std::move(stopped));
}

Task<void> get_rebalance_plan(Exchange& exchange) {
  const auto plan = co_await exchange.cluster.orchestrator().rebalance_plan(exchange.stop());
  if (!plan) {
    co_await exchange.send_error(plan.error());
    co_return;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("pins").number(plan->pins);
  json.key("bytes").number(plan->bytes);
  json.key("pin_bytes").number(plan->pin_bytes);
  json.key("peers").begin_array();
  for (const auto& load : plan->peers) {
    json.begin_object();
    json.key("peer").string(load.peer.text());
    json.key("peername").string(peername(exchange, load.peer));
    json.key("pins").number(load.pins);
    json.key("target").number(load.target);
    json.key("free").number(load.free);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

Task<void> get_repin(Exchange& exchange) {
  return exchange.send(200, repin_json(exchange, exchange.cluster.orchestrator().repin_status()));
}

Task<void> get_repin_plan(Exchange& exchange) {
  auto moves = exchange.cluster.orchestrator().repin_plan(exchange.stop());
  co_await send_stream(exchange, std::move(moves));
}

Task<void> drain_peer(Exchange& exchange) {
  return order_peer(exchange, cluster::PeerMode::Draining);
}

Task<void> cordon_peer(Exchange& exchange) {
  return order_peer(exchange, cluster::PeerMode::Cordoned);
}

Task<void> uncordon_peer(Exchange& exchange) {
  return order_peer(exchange, cluster::PeerMode::Active);
}

Task<void> get_drain(Exchange& exchange) {
  const auto peer = co_await or_bad_request(exchange, read_peer(exchange.var("peer")));
  if (!peer) {
    co_return;
  }
  co_await send_drain(exchange, *peer);
}

}  // namespace ica::rest
