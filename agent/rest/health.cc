#include <fmt/format.h>

#include "agent/rest/handlers.h"
#include "common/base/json_writer.h"

namespace ica::rest {
namespace {

template <typename T>
std::string json_array(const std::vector<T>& items) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const T& item : items) {
    write_json(json, item);
  }
  json.end_array();
  return out;
}

void write_pinset(JsonWriter& json, const crdt::PinsetInfo& info) {
  json.key("digest").string(fmt::format("{:016x}", info.digest));
  json.key("pins").number(info.pins);
  json.key("blocks").number(info.blocks);
  json.key("heads").number(info.heads);
  json.key("height").number(info.height);
  json.key("pending").number(info.work);
  json.key("synced_to").number(info.synced_to);
}

}  // namespace

Task<void> get_health(Exchange& exchange) {
  co_await exchange.send_empty(204);
}

Task<void> get_pinset_health(Exchange& exchange) {
  const auto own = exchange.cluster.pinset_info();
  const auto others = exchange.cluster.peer_pinsets();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("peer").string(exchange.cluster.self().text());
  write_pinset(json, own);
  json.key("peers").begin_array();
  for (const auto& other : others) {
    json.begin_object();
    json.key("peer").string(other.peer.text());
    write_pinset(json, other.info);
    json.key("age_seconds").number(Time::now().unix_seconds() - other.at.unix_seconds());
    json.key("same").boolean(other.info.digest == own.digest);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

Task<void> get_graph(Exchange& exchange) {
  auto graph = co_await exchange.cluster.connect_graph(exchange.stop());
  if (!graph) {
    co_await exchange.send_error(graph.error());
    co_return;
  }
  std::string out;
  JsonWriter json(out);
  write_json(json, *graph);
  co_await exchange.send(200, std::move(out));
}

Task<void> get_alerts(Exchange& exchange) {
  co_await exchange.send(200, json_array(exchange.cluster.alerts()));
}

Task<void> get_bandwidth(Exchange& exchange) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& [protocol, bandwidth] : exchange.cluster.bandwidth()) {
    json.key(protocol);
    write_json(json, bandwidth);
  }
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

Task<void> get_metrics(Exchange& exchange) {
  co_await exchange.send(200, json_array(exchange.cluster.metrics(exchange.var("name"))));
}

Task<void> get_metric_names(Exchange& exchange) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const std::string& name : exchange.cluster.metric_names()) {
    json.string(name);
  }
  json.end_array();
  co_await exchange.send(200, std::move(out));
}

Task<void> get_token(Exchange& exchange) {
  auto token = exchange.auth.token(exchange.request.header("Authorization"), Time::now());
  if (!token) {
    co_await exchange.send_error(401, token.error().message());
    co_return;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("token").string(*token);
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

}  // namespace ica::rest
