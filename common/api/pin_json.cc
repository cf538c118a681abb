#include "common/api/json_in.h"
#include "common/api/json_out.h"
#include "common/api/pin.h"

namespace ica::api {

namespace {

using namespace json_out;

void append_pin(std::string& out, const Pin& pin) {
  const PinOptions& o = pin.options;
  out.append("{\"replication_factor_min\":");
  put_number(out, static_cast<int64_t>(o.replication_factor_min));
  out.append(",\"replication_factor_max\":");
  put_number(out, static_cast<int64_t>(o.replication_factor_max));
  out.append(",\"name\":");
  append_json_string(out, o.name);
  out.append(o.mode == PinMode::Direct ? ",\"mode\":\"direct\",\"shard_size\":"
                                       : ",\"mode\":\"recursive\",\"shard_size\":");
  put_number(out, o.shard_size);
  out.append(",\"user_allocations\":");
  put(out, o.user_allocations);
  out.append(",\"expire_at\":");
  put_time(out, o.expire_at);
  out.append(",\"metadata\":");
  put_metadata(out, o.metadata, o.metadata_present);
  out.append(",\"pin_update\":");
  put(out, o.pin_update);
  out.append(",\"origins\":");
  put(out, o.origins);
  out.append(",\"cid\":");
  put(out, pin.cid);
  out.append(",\"type\":\"");
  out.append(to_string(pin.type));
  out.append("\",\"allocations\":");
  put(out, pin.allocations);
  out.append(",\"max_depth\":");
  put_number(out, static_cast<int64_t>(pin.max_depth));
  out.append(",\"reference\":");
  put(out, pin.reference);
  out.append(",\"timestamp\":");
  put_time(out, pin.timestamp);
  out.push_back('}');
}

Result<PinType> type_from_name(std::string_view name) {
  for (const PinType type :
       {PinType::Bad, PinType::Data, PinType::Meta, PinType::ClusterDag, PinType::Shard}) {
    if (name == to_string(type)) {
      return type;
    }
  }
  return fail(Code::InvalidArgument, "unknown pin type \"{}\"", name);
}

}  // namespace

void write_json(JsonWriter& out, const Pin& pin) {
  append_pin(out.begin_raw(), pin);
}

std::string to_json(const Pin& pin) {
  std::string out;
  append_pin(out, pin);
  return out;
}

Result<Pin> pin_from_json(std::string_view text) {
  TRY(const json_in::Json json, json_in::parse_object(text));
  Pin pin;
  PinOptions& o = pin.options;
  std::string mode;
  std::string type(to_string(PinType::Data));
  json_in::Members in(json);
  in.get("replication_factor_min", o.replication_factor_min)
      .get("replication_factor_max", o.replication_factor_max)
      .get("name", o.name)
      .get("mode", mode)
      .get("shard_size", o.shard_size)
      .get("user_allocations", o.user_allocations)
      .get("expire_at", o.expire_at)
      .get("metadata", o.metadata, &o.metadata_present)
      .get("pin_update", o.pin_update)
      .get("origins", o.origins)
      .get("cid", pin.cid)
      .get("type", type)
      .get("allocations", pin.allocations);
  o.mode = mode == to_string(PinMode::Direct) ? PinMode::Direct : PinMode::Recursive;
  pin.max_depth = o.mode == PinMode::Direct ? kMaxDepthDirect : kMaxDepthRecursive;
  in.get("max_depth", pin.max_depth)
      .get("reference", pin.reference)
      .get("timestamp", pin.timestamp);
  TRY_VOID(in.status());
  TRY(pin.type, type_from_name(type));
  return pin;
}

}  // namespace ica::api
