#include "common/api/peer.h"

#include "common/api/json_out.h"

namespace ica::api {

namespace {

template <typename T>
void list(JsonWriter& out, const NullableList<T>& items) {
  json_out::put(out.begin_raw(), items);
}

void peers(JsonWriter& out, const std::vector<PeerId>& items) {
  json_out::put_list(out.begin_raw(), items);
}

void metric_members(JsonWriter& out, const Metric& metric) {
  out.key("name").string(metric.name);
  out.key("peer").string(metric.peer.text());
  out.key("value").string(metric.value);
  out.key("expire").number(metric.expire);
  out.key("valid").boolean(metric.valid);
  out.key("weight").number(metric.weight);
  out.key("partitionable").boolean(metric.partitionable);
  out.key("received_at").number(metric.received_at);
}

void links(JsonWriter& out, const std::map<std::string, std::vector<PeerId>>& map) {
  out.begin_object();
  for (const auto& [from, to] : map) {
    out.key(from);
    peers(out, to);
  }
  out.end_object();
}

void write_repo_gc(JsonWriter& out, const RepoGc& gc) {
  out.begin_object();
  out.key("peer").string(gc.peer.text());
  out.key("peername").string(gc.peername);
  out.key("keys").begin_array();
  for (const RepoGcKey& key : gc.keys) {
    out.begin_object();
    json_out::put(out.key("key").begin_raw(), key.key);
    if (!key.error.empty()) {
      out.key("error").string(key.error);
    }
    out.end_object();
  }
  out.end_array();
  if (!gc.error.empty()) {
    out.key("error").string(gc.error);
  }
  out.end_object();
}

}  // namespace

void write_json(JsonWriter& out, const Id& id) {
  out.begin_object();
  out.key("id").string(id.id.text());
  list(out.key("addresses"), id.addresses);
  list(out.key("cluster_peers"), id.cluster_peers);
  list(out.key("cluster_peers_addresses"), id.cluster_peers_addresses);
  out.key("version").string(id.version);
  out.key("commit").string(id.commit);
  out.key("rpc_protocol_version").string(id.rpc_protocol_version);
  out.key("error").string(id.error);
  out.key("ipfs").begin_object();
  if (!id.ipfs.id.empty()) {
    out.key("id").string(id.ipfs.id.text());
  }
  list(out.key("addresses"), id.ipfs.addresses);
  out.key("error").string(id.ipfs.error);
  out.end_object();
  out.key("peername").string(id.peername);
  out.end_object();
}

std::string to_json(const Id& id) {
  std::string out;
  JsonWriter w(out);
  write_json(w, id);
  return out;
}

void write_json(JsonWriter& out, const Metric& metric) {
  out.begin_object();
  metric_members(out, metric);
  out.end_object();
}

void write_json(JsonWriter& out, const Alert& alert) {
  out.begin_object();
  metric_members(out, alert.metric);
  out.key("triggered_at").string(alert.triggered_at.rfc3339());
  out.end_object();
}

void write_json(JsonWriter& out, const Bandwidth& bandwidth) {
  out.begin_object();
  out.key("total_in").number(bandwidth.total_in);
  out.key("total_out").number(bandwidth.total_out);
  out.key("rate_in").number(bandwidth.rate_in);
  out.key("rate_out").number(bandwidth.rate_out);
  out.end_object();
}

void write_json(JsonWriter& out, const ConnectGraph& graph) {
  out.begin_object();
  out.key("cluster_id").string(graph.cluster_id.text());
  out.key("id_to_peername").begin_object();
  for (const auto& [id, name] : graph.id_to_peername) {
    out.key(id).string(name);
  }
  out.end_object();
  links(out.key("ipfs_links"), graph.ipfs_links);
  links(out.key("cluster_links"), graph.cluster_links);
  out.key("cluster_trust_links").begin_object();
  for (const auto& [id, trusted] : graph.cluster_trust_links) {
    out.key(id).boolean(trusted);
  }
  out.end_object();
  out.key("cluster_to_ipfs").begin_object();
  for (const auto& [id, ipfs] : graph.cluster_to_ipfs) {
    out.key(id).string(ipfs.text());
  }
  out.end_object();
  out.end_object();
}

void write_json(JsonWriter& out, const GlobalRepoGc& gc) {
  out.begin_object();
  out.key("peer_map").begin_object();
  for (const auto& [peer, one] : gc.peer_map) {
    write_repo_gc(out.key(peer), one);
  }
  out.end_object();
  out.end_object();
}

void write_json(JsonWriter& out, const AddedOutput& added) {
  out.begin_object();
  out.key("name").string(added.name);
  json_out::put(out.key("cid").begin_raw(), added.cid);
  if (added.bytes != 0) {
    out.key("bytes").number(added.bytes);
  }
  if (added.size != 0) {
    out.key("size").number(added.size);
  }
  if (!added.allocations.empty()) {
    peers(out.key("allocations"), added.allocations);
  }
  out.end_object();
}

std::string error_json(int code, std::string_view message) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.key("code").number(code);
  w.key("message").string(message);
  w.end_object();
  return out;
}

}  // namespace ica::api
