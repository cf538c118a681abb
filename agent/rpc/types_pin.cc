// Pins and their statuses.
#include "agent/rpc/fields.h"

namespace ica::rpc {

template <Is<api::Pin> V, typename Field>
void describe(V& pin, Field& field) {
  auto& options = pin.options;
  field("rn", options.replication_factor_min);
  field("rx", options.replication_factor_max);
  field("n", options.name);
  field("o", options.mode);
  field("s", options.shard_size);
  field("ua", options.user_allocations);
  field("e", options.expire_at);
  field("m", options.metadata, options.metadata_present);
  field("pu", options.pin_update);
  field("g", options.origins);
  field.or_nil("c", pin.cid);
  field("t", pin.type);
  field("a", pin.allocations);
  field("d", pin.max_depth);
  field("r", pin.reference);
  field("i", pin.timestamp);
}

template <Is<api::PinInfoShort> V, typename Field>
void describe(V& info, Field& field) {
  field("pn", info.peername);
  field("i", info.ipfs_peer_id);
  field("ia", info.ipfs_peer_addresses);
  field("st", info.status);
  field("ts", info.timestamp);
  field("e", info.error);
  field("a", info.attempt_count);
  field("y", info.priority_pin);
}

template <Is<api::PinInfo> V, typename Field>
void describe(V& info, Field& field) {
  field.or_nil("c", info.cid);
  field("m", info.name);
  field("p", info.peer);
  field("o", info.allocations);
  field("g", info.origins);
  field("t", info.created);
  field("md", info.metadata);
  describe(info.info, field);  // in one struct with the above
}

template <Is<api::GlobalPinInfo> V, typename Field>
void describe(V& info, Field& field) {
  field.or_nil("c", info.cid);
  field.always("n", info.name);
  field("a", info.allocations);
  field("g", info.origins);
  field("t", info.created);
  field("m", info.metadata);
  field("pm", info.peer_map);
}

namespace {

// A status is kept as it came: a later version may have more of them.
uint32_t read_mask(MsgpackReader& in) {
  const int64_t value = in.integer();
  if (value < 0 || value > std::numeric_limits<uint32_t>::max()) {
    in.mark_damaged();
    return 0;
  }
  return static_cast<uint32_t>(value);
}

}  // namespace

void write(Bytes& out, const Filter& value) {
  MsgpackWriter(out).integer(value.mask);
}

void read(MsgpackReader& in, Filter& value) {
  value.mask = read_mask(in);
}

void write(Bytes& out, api::TrackerStatus value) {
  MsgpackWriter(out).integer(static_cast<int64_t>(value));
}

void read(MsgpackReader& in, api::TrackerStatus& value) {
  value = static_cast<api::TrackerStatus>(read_mask(in));
}

void write(Bytes& out, api::PinMode value) {
  MsgpackWriter(out).integer(static_cast<int>(value));
}

void read(MsgpackReader& in, api::PinMode& value) {
  value = in.integer() == 1 ? api::PinMode::Direct : api::PinMode::Recursive;
}

void write(Bytes& out, api::PinType value) {
  MsgpackWriter(out).unsigned_integer(static_cast<uint64_t>(value));
}

void read(MsgpackReader& in, api::PinType& value) {
  value = static_cast<api::PinType>(in.unsigned_integer());
}

void write(Bytes& out, const api::Pin& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::Pin& value) {
  value = api::Pin();
  value.type = static_cast<api::PinType>(0);
  value.max_depth = api::kMaxDepthDirect;  // what is left out is zero
  read_struct(in, value);
}

void write(Bytes& out, const api::PinInfoShort& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::PinInfoShort& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::PinInfo& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::PinInfo& value) {
  read_struct(in, value);
}

void write(Bytes& out, const api::GlobalPinInfo& value) {
  write_struct(out, value);
}

void read(MsgpackReader& in, api::GlobalPinInfo& value) {
  read_struct(in, value);
}

}  // namespace ica::rpc
