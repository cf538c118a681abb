// Peers, metrics, garbage collections, blocks.
#include "agent/rpc/fields.h"

namespace ica::rpc {
namespace {

constexpr size_t kMaxMetric = 64 << 10;

constexpr std::string_view kVersion[] = {"v"};
constexpr std::string_view kNode[] = {"d", "c", "s"};
constexpr std::string_view kIpfsId[] = {"i", "a", "e"};
constexpr std::string_view kId[] = {"i", "a", "cp", "cpa", "v", "c", "rv", "e", "ip", "pn"};
constexpr std::string_view kMetric[] = {"n", "p", "v", "e", "d", "w", "o", "t"};
constexpr std::string_view kAlert[] = {"n", "p", "v", "e", "d", "w", "o", "t", "r"};
constexpr std::string_view kRepoStat[] = {"r", "s"};
constexpr std::string_view kRepoGc[] = {"p", "pn", "k", "e"};
constexpr std::string_view kRepoGcKey[] = {"k", "e"};

void write_metric(Fields& fields, const api::Metric& value) {
  fields.text("n", value.name);
  fields.text("p", value.peer.bytes());
  fields.text("v", value.value);
  fields.integer("e", value.expire);
  fields.boolean("d", value.valid);
  fields.integer("w", value.weight);
  fields.boolean("o", value.partitionable);
  fields.integer("t", value.received_at);
}

void read_metric_field(MsgpackReader& in, size_t index, api::Metric& value) {
  switch (index) {
    case 0:
      value.name = read_text(in);
      break;
    case 1:
      value.peer = read_bytes_as<PeerId>(in);
      break;
    case 2:
      value.value = read_text(in);
      break;
    case 3:
      value.expire = in.integer();
      break;
    case 4:
      value.valid = in.boolean();
      break;
    case 5:
      value.weight = in.integer();
      break;
    case 6:
      value.partitionable = in.boolean();
      break;
    case 7:
      value.received_at = in.integer();
      break;
  }
}

}  // namespace

void write(Bytes& out, const Empty&) {
  MsgpackWriter(out).map(0);
}

void read(MsgpackReader& in, Empty&) {
  MsgpackFields fields(in, {});
  while (fields.next()) {
  }
}

void write(Bytes& out, const Version& value) {
  MsgpackStruct fields(out);
  fields.key("v").raw(value.version);
}

void read(MsgpackReader& in, Version& value) {
  MsgpackFields fields(in, kVersion);
  while (fields.next()) {
    value.version = read_text(in);
  }
}

void write(Bytes& out, const NodeWithMeta& value) {
  Fields fields(out);
  fields.text("d", value.data);
  fields.cid("c", value.cid);
  fields.unsigned_integer("s", value.cumulative_size);
}

void read(MsgpackReader& in, NodeWithMeta& value) {
  MsgpackFields fields(in, kNode);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.data = in.raw();
        break;
      case 1:
        value.cid = read_bytes_as<Cid>(in);
        break;
      case 2:
        value.cumulative_size = in.unsigned_integer();
        break;
    }
  }
}

void write(Bytes& out, const PeerId& value) {
  MsgpackWriter(out).raw(value.bytes());
}

void read(MsgpackReader& in, PeerId& value) {
  value = read_bytes_as<PeerId>(in);
}

void write(Bytes& out, const std::vector<PeerId>& value) {
  MsgpackWriter writer(out);
  write_list(writer, value);
}

void read(MsgpackReader& in, std::vector<PeerId>& value) {
  value = read_list<PeerId>(in);
}

void write(Bytes& out, const api::IpfsId& value) {
  Fields fields(out);
  fields.text("i", value.id.bytes());
  fields.list("a", value.addresses);
  fields.text("e", value.error);
}

void read(MsgpackReader& in, api::IpfsId& value) {
  MsgpackFields fields(in, kIpfsId);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.id = read_bytes_as<PeerId>(in);
        break;
      case 1:
        value.addresses = read_nullable_list<Multiaddr>(in);
        break;
      case 2:
        value.error = read_text(in);
        break;
    }
  }
}

void write(Bytes& out, const api::Id& value) {
  Fields fields(out);
  fields.text("i", value.id.bytes());
  fields.list("a", value.addresses);
  fields.list("cp", value.cluster_peers);
  fields.list("cpa", value.cluster_peers_addresses);
  fields.text("v", value.version);
  fields.text("c", value.commit);
  fields.text("rv", value.rpc_protocol_version);
  fields.text("e", value.error);
  const api::IpfsId& ipfs = value.ipfs;
  if (!ipfs.id.empty() || ipfs.addresses.present || !ipfs.error.empty()) {
    fields.key("ip");
    write(out, ipfs);
  }
  fields.text("pn", value.peername);
}

void read(MsgpackReader& in, api::Id& value) {
  MsgpackFields fields(in, kId);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.id = read_bytes_as<PeerId>(in);
        break;
      case 1:
        value.addresses = read_nullable_list<Multiaddr>(in);
        break;
      case 2:
        value.cluster_peers = read_nullable_list<PeerId>(in);
        break;
      case 3:
        value.cluster_peers_addresses = read_nullable_list<Multiaddr>(in);
        break;
      case 4:
        value.version = read_text(in);
        break;
      case 5:
        value.commit = read_text(in);
        break;
      case 6:
        value.rpc_protocol_version = read_text(in);
        break;
      case 7:
        value.error = read_text(in);
        break;
      case 8:
        read(in, value.ipfs);
        break;
      case 9:
        value.peername = read_text(in);
        break;
    }
  }
}

void write(Bytes& out, const api::Metric& value) {
  Fields fields(out);
  write_metric(fields, value);
}

void read(MsgpackReader& in, api::Metric& value) {
  MsgpackFields fields(in, kMetric);
  while (fields.next()) {
    read_metric_field(in, fields.index(), value);
  }
}

void write(Bytes& out, const api::Alert& value) {
  Fields fields(out);
  write_metric(fields, value.metric);
  fields.time("r", value.triggered_at);
}

void read(MsgpackReader& in, api::Alert& value) {
  MsgpackFields fields(in, kAlert);
  while (fields.next()) {
    if (fields.index() == std::size(kMetric)) {
      value.triggered_at = in.time();
    } else {
      read_metric_field(in, fields.index(), value.metric);
    }
  }
}

void write(Bytes& out, const ipfs::RepoStat& value) {
  Fields fields(out);
  fields.unsigned_integer("r", value.repo_size);
  fields.key("s").unsigned_integer(value.storage_max);
}

void read(MsgpackReader& in, ipfs::RepoStat& value) {
  MsgpackFields fields(in, kRepoStat);
  while (fields.next()) {
    (fields.index() == 0 ? value.repo_size : value.storage_max) = in.unsigned_integer();
  }
}

void write(Bytes& out, const api::RepoGc& value) {
  Fields fields(out);
  fields.text("p", value.peer.bytes());
  fields.text("pn", value.peername);
  MsgpackWriter& keys = fields.key("k");
  if (value.keys.empty()) {
    keys.nil();
  } else {
    keys.array(value.keys.size());
  }
  for (const api::RepoGcKey& key : value.keys) {
    Fields entry(out);
    entry.text("k", key.key.bytes());
    entry.text("e", key.error);
  }
  fields.text("e", value.error);
}

void read(MsgpackReader& in, api::RepoGc& value) {
  MsgpackFields fields(in, kRepoGc);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.peer = read_bytes_as<PeerId>(in);
        break;
      case 1:
        value.peername = read_text(in);
        break;
      case 2:
        value.keys.clear();
        for (size_t n = in.array(); n > 0 && in.ok(); --n) {
          api::RepoGcKey key;
          MsgpackFields entry(in, kRepoGcKey);
          while (entry.next()) {
            if (entry.index() == 0) {
              key.key = read_bytes_as<Cid>(in);
            } else {
              key.error = read_text(in);
            }
          }
          if (!key.key.defined() && key.error.empty()) {
            in.mark_damaged();
          } else {
            value.keys.push_back(std::move(key));
          }
        }
        break;
      case 3:
        value.error = read_text(in);
        break;
    }
  }
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
