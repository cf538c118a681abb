// Peers, metrics, garbage collections, blocks.
#include "agent/rpc/fields.h"

namespace ica::rpc {

template <Is<Empty> V, typename Field>
void describe(V&, Field&) {}

template <Is<Version> V, typename Field>
void describe(V& value, Field& field) {
  field.always("v", value.version);
}

template <Is<NodeWithMeta> V, typename Field>
void describe(V& node, Field& field) {
  field("d", node.data);
  field.or_nil("c", node.cid);
  field("s", node.cumulative_size);
}

template <Is<api::IpfsId> V, typename Field>
void describe(V& id, Field& field) {
  field("i", id.id);
  field("a", id.addresses);
  field("e", id.error);
}

template <Is<api::Id> V, typename Field>
void describe(V& id, Field& field) {
  field("i", id.id);
  field("a", id.addresses);
  field("cp", id.cluster_peers);
  field("cpa", id.cluster_peers_addresses);
  field("v", id.version);
  field("c", id.commit);
  field("rv", id.rpc_protocol_version);
  field("e", id.error);
  field("ip", id.ipfs);
  field("pn", id.peername);
}

template <Is<api::Metric> V, typename Field>
void describe(V& metric, Field& field) {
  field("n", metric.name);
  field("p", metric.peer);
  field("v", metric.value);
  field("e", metric.expire);
  field("d", metric.valid);
  field("w", metric.weight);
  field("o", metric.partitionable);
  field("t", metric.received_at);
}

template <Is<api::Alert> V, typename Field>
void describe(V& alert, Field& field) {
  describe(alert.metric, field);  // in one struct with what follows
  field("r", alert.triggered_at);
}

template <Is<ipfs::RepoStat> V, typename Field>
void describe(V& stat, Field& field) {
  field("r", stat.repo_size);
  field.always("s", stat.storage_max);
}

template <Is<api::RepoGcKey> V, typename Field>
void describe(V& key, Field& field) {
  field("k", key.key);
  field("e", key.error);
}

template <Is<api::RepoGc> V, typename Field>
void describe(V& gc, Field& field) {
  field("p", gc.peer);
  field("pn", gc.peername);
  field.or_nil("k", gc.keys);
  field("e", gc.error);
}

namespace {

constexpr size_t kMaxMetric = 64 << 10;

template <typename T>
void read_id(MsgpackReader& in, T& value) {
  value = T();
  if (const BytesView bytes = in.raw(); !bytes.empty()) {
    if (auto id = T::from_bytes(bytes)) {
      value = std::move(*id);
    } else {
      in.mark_damaged();
    }
  }
}

}  // namespace

bool is_empty(const api::IpfsId& value) {
  return is_empty(value.id) && is_empty(value.addresses) && value.error.empty();
}

bool is_empty(const api::RepoGcKey& value) {
  return is_empty(value.key) && value.error.empty();
}

void write(Bytes& out, const std::string& value) {
  MsgpackWriter(out).raw(value);
}

void read(MsgpackReader& in, std::string& value) {
  value = in.raw();
}

void write(Bytes& out, const Time& value) {
  MsgpackWriter(out).time(value);
}

void read(MsgpackReader& in, Time& value) {
  value = in.time();
}

void write(Bytes& out, const Cid& value) {
  MsgpackWriter writer(out);
  if (value.defined()) {
    writer.raw(value.bytes());
  } else {
    writer.nil();
  }
}

void read(MsgpackReader& in, Cid& value) {
  read_id(in, value);
}

void write(Bytes& out, const PeerId& value) {
  MsgpackWriter(out).raw(value.bytes());
}

void read(MsgpackReader& in, PeerId& value) {
  read_id(in, value);
}

void write(Bytes& out, const Multiaddr& value) {
  MsgpackWriter(out).raw(value.bytes());
}

void read(MsgpackReader& in, Multiaddr& value) {
  read_id(in, value);
}

void write(Bytes& out, const std::vector<PeerId>& value) {
  write<PeerId>(out, value);
}

void read(MsgpackReader& in, std::vector<PeerId>& value) {
  read<PeerId>(in, value);
}

void write(Bytes& out, const Empty& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, Empty& value) {
  read_struct(in, value);
}

void write(Bytes& out, const Version& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, Version& value) {
  read_struct(in, value);
}

void write(Bytes& out, const NodeWithMeta& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, NodeWithMeta& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::IpfsId& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::IpfsId& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::Id& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::Id& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::Metric& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::Metric& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::Alert& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::Alert& value) {
  read_struct(in, value);
}

void write(Bytes& out, const ipfs::RepoStat& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, ipfs::RepoStat& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::RepoGcKey& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::RepoGcKey& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::RepoGc& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::RepoGc& value) {
  read_struct(in, value);
}

Bytes encode_metric(const api::Metric& metric) {
  return encode(metric);
}

Result<api::Metric> decode_metric(BytesView message) {
  if (message.size() > kMaxMetric) {
    return fail(Code::TooLarge, "a metric of {} bytes", message.size());
  }
  return decode<api::Metric>(message);
}

}  // namespace ica::rpc
