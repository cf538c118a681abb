#pragma once

#include "common/api/json_in.h"
#include "common/api/peer.h"

// Read back what only is written outside of tests.
namespace ica::api {

inline Result<Id> id_from_json(std::string_view text) {
  TRY(const json_in::Json json, json_in::parse_object(text));
  Id id;
  json_in::Members in(json);
  in.get("id", id.id)
      .get("addresses", id.addresses)
      .get("cluster_peers", id.cluster_peers)
      .get("cluster_peers_addresses", id.cluster_peers_addresses)
      .get("version", id.version)
      .get("commit", id.commit)
      .get("rpc_protocol_version", id.rpc_protocol_version)
      .get("error", id.error)
      .get("peername", id.peername);
  if (const json_in::Json* ipfs = in.object("ipfs")) {
    json_in::Members members(*ipfs);
    members.get("id", id.ipfs.id).get("addresses", id.ipfs.addresses).get("error", id.ipfs.error);
    TRY_VOID(members.status());
  }
  TRY_VOID(in.status());
  return id;
}

inline Result<Metric> metric_from_json(std::string_view text) {
  TRY(const json_in::Json json, json_in::parse_object(text));
  Metric metric;
  json_in::Members in(json);
  in.get("name", metric.name)
      .get("peer", metric.peer)
      .get("value", metric.value)
      .get("expire", metric.expire)
      .get("valid", metric.valid)
      .get("weight", metric.weight)
      .get("partitionable", metric.partitionable)
      .get("received_at", metric.received_at);
  TRY_VOID(in.status());
  return metric;
}

inline Result<AddedOutput> added_output_from_json(std::string_view text) {
  TRY(const json_in::Json json, json_in::parse_object(text));
  AddedOutput added;
  NullableList<PeerId> allocations;
  json_in::Members in(json);
  in.get("name", added.name)
      .get("cid", added.cid)
      .get("bytes", added.bytes)
      .get("size", added.size)
      .get("allocations", allocations);
  TRY_VOID(in.status());
  added.allocations = std::move(allocations.items);
  return added;
}

}  // namespace ica::api
