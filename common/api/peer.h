#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/api/pin.h"

namespace ica::api {

inline constexpr std::string_view kReferenceVersion = "1.1.6";
inline constexpr std::string_view kRpcProtocol = "/ipfscluster/1.0/rpc";

struct IpfsId {
  PeerId id;                          // left out when empty
  NullableList<Multiaddr> addresses;  // null when Kubo is down
  std::string error;
};

// What GET /id and GET /peers show of a peer. Lists are null for a peer that failed.
struct Id {
  PeerId id;
  NullableList<Multiaddr> addresses;
  NullableList<PeerId> cluster_peers;
  NullableList<Multiaddr> cluster_peers_addresses;
  std::string version;
  std::string commit;
  std::string rpc_protocol_version;
  std::string error;
  IpfsId ipfs;
  std::string peername;
};
void write_json(JsonWriter& out, const Id& id);
std::string to_json(const Id& id);

struct Metric {
  std::string name;
  PeerId peer;
  std::string value;
  int64_t expire = 0;  // UNIX nanoseconds
  bool valid = false;
  int64_t weight = 0;
  bool partitionable = false;
  int64_t received_at = 0;  // UNIX nanoseconds
  bool expired_at(Time now) const { return now.unix_nanos() > expire; }
};
void write_json(JsonWriter& out, const Metric& metric);

struct Alert {
  Metric metric;
  Time triggered_at;
};
void write_json(JsonWriter& out, const Alert& alert);

struct Bandwidth {
  int64_t total_in = 0;
  int64_t total_out = 0;
  double rate_in = 0;
  double rate_out = 0;
};
void write_json(JsonWriter& out, const Bandwidth& bandwidth);

// Who is connected to whom. Empty maps print as {}.
struct ConnectGraph {
  PeerId cluster_id;
  std::map<std::string, std::string> id_to_peername;
  std::map<std::string, std::vector<PeerId>> ipfs_links;
  std::map<std::string, std::vector<PeerId>> cluster_links;
  std::map<std::string, bool> cluster_trust_links;
  std::map<std::string, PeerId> cluster_to_ipfs;
};
void write_json(JsonWriter& out, const ConnectGraph& graph);

struct RepoGcKey {
  Cid key;
  std::string error;  // left out when empty
};
struct RepoGc {
  PeerId peer;
  std::string peername;
  std::vector<RepoGcKey> keys;
  std::string error;  // left out when empty
};
struct GlobalRepoGc {
  std::map<std::string, RepoGc> peer_map;
};
void write_json(JsonWriter& out, const GlobalRepoGc& gc);

// One line of the answer to POST /add.
struct AddedOutput {
  std::string name;
  Cid cid;             // null in progress lines
  uint64_t bytes = 0;  // left out when 0, as the next two
  uint64_t size = 0;
  std::vector<PeerId> allocations;
};
void write_json(JsonWriter& out, const AddedOutput& added);

// {"code":404,"message":"..."}
std::string error_json(int code, std::string_view message);

}  // namespace ica::api
