// Pins and their statuses.
#include "agent/rpc/fields.h"

namespace ica::rpc {
namespace {

constexpr std::string_view kPin[] = {"rn", "rx", "n", "o", "s", "ua", "e", "m",
                                     "pu", "g",  "c", "t", "a", "d",  "r", "i"};
constexpr std::string_view kPinInfo[] = {"c", "m",  "p",  "o",  "g", "t", "md", "pn",
                                         "i", "ia", "st", "ts", "e", "a", "y"};
constexpr std::string_view kShort[] = {"pn", "i", "ia", "st", "ts", "e", "a", "y"};
constexpr size_t kOwnPinInfoFields = std::size(kPinInfo) - std::size(kShort);
constexpr std::string_view kGlobal[] = {"c", "n", "a", "g", "t", "m", "pm"};

void write_short(Fields& fields, const api::PinInfoShort& value) {
  fields.text("pn", value.peername);
  fields.text("i", value.ipfs_peer_id.bytes());
  fields.list("ia", value.ipfs_peer_addresses);
  fields.integer("st", static_cast<int64_t>(value.status));
  fields.time("ts", value.timestamp);
  fields.text("e", value.error);
  fields.integer("a", value.attempt_count);
  fields.boolean("y", value.priority_pin);
}

// A status is kept as it came: a later version may have more of them.
uint32_t read_mask(MsgpackReader& in) {
  const int64_t value = in.integer();
  if (value < 0 || value > std::numeric_limits<uint32_t>::max()) {
    in.mark_damaged();
    return 0;
  }
  return static_cast<uint32_t>(value);
}

void read_short_field(MsgpackReader& in, size_t index, api::PinInfoShort& value) {
  switch (index) {
    case 0:
      value.peername = read_text(in);
      break;
    case 1:
      value.ipfs_peer_id = read_bytes_as<PeerId>(in);
      break;
    case 2:
      value.ipfs_peer_addresses = read_list<Multiaddr>(in);
      break;
    case 3:
      value.status = static_cast<api::TrackerStatus>(read_mask(in));
      break;
    case 4:
      value.timestamp = in.time();
      break;
    case 5:
      value.error = read_text(in);
      break;
    case 6:
      value.attempt_count = read_int(in);
      break;
    case 7:
      value.priority_pin = in.boolean();
      break;
  }
}

void read_pin_field(MsgpackReader& in, size_t index, api::Pin& pin) {
  switch (index) {
    case 0:
      pin.options.replication_factor_min = read_int(in);
      break;
    case 1:
      pin.options.replication_factor_max = read_int(in);
      break;
    case 2:
      pin.options.name = read_text(in);
      break;
    case 3:
      pin.options.mode = in.integer() == 1 ? api::PinMode::Direct : api::PinMode::Recursive;
      break;
    case 4:
      pin.options.shard_size = in.unsigned_integer();
      break;
    case 5:
      pin.options.user_allocations = read_nullable_list<PeerId>(in);
      break;
    case 6:
      pin.options.expire_at = in.time();
      break;
    case 7:
      pin.options.metadata_present = !in.next_is_nil();
      pin.options.metadata = read_text_map(in);
      break;
    case 8:
      pin.options.pin_update = read_bytes_as<Cid>(in);
      break;
    case 9:
      pin.options.origins = read_nullable_list<Multiaddr>(in);
      break;
    case 10:
      pin.cid = read_bytes_as<Cid>(in);
      break;
    case 11:
      pin.type = static_cast<api::PinType>(in.unsigned_integer());
      break;
    case 12:
      pin.allocations = read_nullable_list<PeerId>(in);
      break;
    case 13:
      pin.max_depth = read_int(in);
      break;
    case 14:
      pin.reference = read_bytes_as<Cid>(in);
      break;
    case 15:
      pin.timestamp = in.time();
      break;
  }
}

}  // namespace

void write(Bytes& out, const Cid& value) {
  MsgpackWriter writer(out);
  if (value.defined()) {
    writer.raw(value.bytes());
  } else {
    writer.nil();
  }
}

void read(MsgpackReader& in, Cid& value) {
  value = read_bytes_as<Cid>(in);
}

void write(Bytes& out, const Filter& value) {
  MsgpackWriter(out).integer(value.mask);
}

void read(MsgpackReader& in, Filter& value) {
  value.mask = read_mask(in);
}

void write(Bytes& out, const api::Pin& value) {
  const api::PinOptions& options = value.options;
  Fields fields(out);
  fields.integer("rn", options.replication_factor_min);
  fields.integer("rx", options.replication_factor_max);
  fields.text("n", options.name);
  fields.integer("o", static_cast<int>(options.mode));
  fields.unsigned_integer("s", options.shard_size);
  fields.list("ua", options.user_allocations);
  fields.time("e", options.expire_at);
  fields.text_map("m", options.metadata);
  fields.text("pu", options.pin_update.bytes());
  fields.list("g", options.origins);
  fields.cid("c", value.cid);
  fields.unsigned_integer("t", static_cast<uint64_t>(value.type));
  fields.list("a", value.allocations);
  fields.integer("d", value.max_depth);
  fields.text("r", value.reference.bytes());
  fields.time("i", value.timestamp);
}

void read(MsgpackReader& in, api::Pin& value) {
  value = api::Pin();
  value.type = static_cast<api::PinType>(0);
  value.max_depth = api::kMaxDepthDirect;  // what is left out is zero
  MsgpackFields fields(in, kPin);
  while (fields.next()) {
    read_pin_field(in, fields.index(), value);
  }
}

void write(Bytes& out, const api::PinInfo& value) {
  Fields fields(out);
  fields.cid("c", value.cid);
  fields.text("m", value.name);
  fields.text("p", value.peer.bytes());
  fields.list("o", value.allocations);
  fields.list("g", value.origins);
  fields.time("t", value.created);
  fields.text_map("md", value.metadata);
  write_short(fields, value.info);
}

void read(MsgpackReader& in, api::PinInfo& value) {
  MsgpackFields fields(in, kPinInfo);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.cid = read_bytes_as<Cid>(in);
        break;
      case 1:
        value.name = read_text(in);
        break;
      case 2:
        value.peer = read_bytes_as<PeerId>(in);
        break;
      case 3:
        value.allocations = read_nullable_list<PeerId>(in);
        break;
      case 4:
        value.origins = read_nullable_list<Multiaddr>(in);
        break;
      case 5:
        value.created = in.time();
        break;
      case 6:
        value.metadata = read_text_map(in);
        break;
      default:
        read_short_field(in, fields.index() - kOwnPinInfoFields, value.info);
    }
  }
}

void write(Bytes& out, const api::GlobalPinInfo& value) {
  Fields fields(out);
  fields.cid("c", value.cid);
  fields.key("n").raw(value.name);
  fields.list("a", value.allocations);
  fields.list("g", value.origins);
  fields.time("t", value.created);
  fields.text_map("m", value.metadata);
  if (value.peer_map.empty()) {
    return;
  }
  MsgpackWriter& peers = fields.key("pm");
  peers.map(value.peer_map.size());
  for (const auto& [peer, info] : value.peer_map) {
    peers.raw(peer);
    Fields entry(out);
    write_short(entry, info);
  }
}

void read(MsgpackReader& in, api::GlobalPinInfo& value) {
  MsgpackFields fields(in, kGlobal);
  while (fields.next()) {
    switch (fields.index()) {
      case 0:
        value.cid = read_bytes_as<Cid>(in);
        break;
      case 1:
        value.name = read_text(in);
        break;
      case 2:
        value.allocations = read_nullable_list<PeerId>(in);
        break;
      case 3:
        value.origins = read_nullable_list<Multiaddr>(in);
        break;
      case 4:
        value.created = in.time();
        break;
      case 5:
        value.metadata = read_text_map(in);
        break;
      case 6:
        for (size_t n = in.map(); n > 0 && in.ok(); --n) {
          api::PinInfoShort& info = value.peer_map[read_text(in)];
          MsgpackFields entry(in, kShort);
          while (entry.next()) {
            read_short_field(in, entry.index(), info);
          }
        }
        break;
    }
  }
}

}  // namespace ica::rpc
