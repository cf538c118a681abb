#include "common/api/status.h"

#include <algorithm>
#include <array>

#include "common/api/json_in.h"
#include "common/api/json_out.h"

namespace ica::api {

namespace {

using namespace json_out;

constexpr std::array kStatuses = {
    TrackerStatus::Undefined,           TrackerStatus::ClusterError, TrackerStatus::PinError,
    TrackerStatus::UnpinError,          TrackerStatus::Pinned,       TrackerStatus::Pinning,
    TrackerStatus::Unpinning,           TrackerStatus::Unpinned,     TrackerStatus::Remote,
    TrackerStatus::PinQueued,           TrackerStatus::UnpinQueued,  TrackerStatus::Sharded,
    TrackerStatus::UnexpectedlyUnpinned};

constexpr uint32_t bit(TrackerStatus status) {
  return static_cast<uint32_t>(status);
}

constexpr uint32_t kError = bit(TrackerStatus::ClusterError) | bit(TrackerStatus::PinError) |
                            bit(TrackerStatus::UnpinError);
constexpr uint32_t kQueued = bit(TrackerStatus::PinQueued) | bit(TrackerStatus::UnpinQueued);

void append_short(std::string& out, const PinInfoShort& info) {
  out.append("{\"peername\":");
  append_json_string(out, info.peername);
  if (!info.ipfs_peer_id.empty()) {
    out.append(",\"ipfs_peer_id\":");
    put(out, info.ipfs_peer_id);
  }
  if (!info.ipfs_peer_addresses.empty()) {
    out.append(",\"ipfs_peer_addresses\":");
    put_list(out, info.ipfs_peer_addresses);
  }
  out.append(",\"status\":\"");
  out.append(to_string(info.status));
  out.append("\",\"timestamp\":");
  put_time(out, info.timestamp);
  out.append(",\"error\":");
  append_json_string(out, info.error);
  out.append(",\"attempt_count\":");
  put_number(out, static_cast<int64_t>(info.attempt_count));
  out.append(info.priority_pin ? ",\"priority_pin\":true}" : ",\"priority_pin\":false}");
}

void append_global(std::string& out, const GlobalPinInfo& info) {
  out.append("{\"cid\":");
  put(out, info.cid);
  out.append(",\"name\":");
  append_json_string(out, info.name);
  out.append(",\"allocations\":");
  put(out, info.allocations);
  out.append(",\"origins\":");
  put(out, info.origins);
  out.append(",\"created\":");
  put_time(out, info.created);
  out.append(",\"metadata\":");
  put_metadata(out, info.metadata, false);
  out.append(",\"peer_map\":{");
  bool first = true;
  for (const auto& [peer, info_short] : info.peer_map) {
    if (!first) {
      out.push_back(',');
    }
    first = false;
    append_json_string(out, peer);
    out.push_back(':');
    append_short(out, info_short);
  }
  out.append("}}");
}

Result<PinInfoShort> short_from_json(const json_in::Json& json) {
  PinInfoShort info;
  std::string status;
  NullableList<Multiaddr> addresses;
  json_in::Members in(json);
  in.get("peername", info.peername)
      .get("ipfs_peer_id", info.ipfs_peer_id)
      .get("ipfs_peer_addresses", addresses)
      .get("status", status)
      .get("timestamp", info.timestamp)
      .get("error", info.error)
      .get("attempt_count", info.attempt_count)
      .get("priority_pin", info.priority_pin);
  TRY_VOID(in.status());
  info.ipfs_peer_addresses = std::move(addresses.items);
  // A status of a later version shows as undefined, as in the reference.
  info.status = parse_tracker_status(status).value_or(TrackerStatus::Undefined);
  return info;
}

}  // namespace

std::string_view to_string(TrackerStatus status) {
  switch (status) {
    case TrackerStatus::Undefined:
      return "undefined";
    case TrackerStatus::ClusterError:
      return "cluster_error";
    case TrackerStatus::PinError:
      return "pin_error";
    case TrackerStatus::UnpinError:
      return "unpin_error";
    case TrackerStatus::Pinned:
      return "pinned";
    case TrackerStatus::Pinning:
      return "pinning";
    case TrackerStatus::Unpinning:
      return "unpinning";
    case TrackerStatus::Unpinned:
      return "unpinned";
    case TrackerStatus::Remote:
      return "remote";
    case TrackerStatus::PinQueued:
      return "pin_queued";
    case TrackerStatus::UnpinQueued:
      return "unpin_queued";
    case TrackerStatus::Sharded:
      return "sharded";
    case TrackerStatus::UnexpectedlyUnpinned:
      return "unexpectedly_unpinned";
  }
  return "undefined";  // a number that came from another peer
}

Result<TrackerStatus> parse_tracker_status(std::string_view text) {
  for (const TrackerStatus status : kStatuses) {
    if (text == to_string(status)) {
      return status;
    }
  }
  return fail(Code::InvalidArgument, "unknown status \"{}\"", text);
}

Result<StatusFilter> parse_status_filter(std::string_view text) {
  std::string names(text);
  names.erase(std::remove(names.begin(), names.end(), ' '), names.end());
  StatusFilter filter = 0;
  std::string_view rest = names;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    if (name == "error") {
      filter |= kError;
    } else if (name == "queued") {
      filter |= kQueued;
    } else if (const auto status = parse_tracker_status(name); status.has_value()) {
      filter |= bit(*status);
    }
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  if (filter == 0 && !text.empty()) {
    return fail(Code::InvalidArgument, "invalid filter value");
  }
  return filter;
}

GlobalPinInfo to_global(const PinInfo& info) {
  GlobalPinInfo global;
  add_peer(global, info);
  return global;
}

// A peer that could not be asked knows nothing of the pin, so what others said stands.
void add_peer(GlobalPinInfo& global, PinInfo info, const std::string& peer) {
  const bool asked = info.info.status != TrackerStatus::ClusterError &&
                     info.info.status != TrackerStatus::Undefined;
  if (!global.cid.defined() || asked) {
    global.cid = std::move(info.cid);
    global.name = std::move(info.name);
    global.allocations = std::move(info.allocations);
    global.origins = std::move(info.origins);
    global.created = info.created;
    global.metadata = std::move(info.metadata);
  }
  global.peer_map.insert_or_assign(peer, std::move(info.info));
}

void add_peer(GlobalPinInfo& global, PinInfo info) {
  const std::string peer = info.peer.text();
  add_peer(global, std::move(info), peer);
}

void write_json(JsonWriter& out, const GlobalPinInfo& info) {
  append_global(out.begin_raw(), info);
}

std::string to_json(const GlobalPinInfo& info) {
  std::string out;
  append_global(out, info);
  return out;
}

Result<GlobalPinInfo> global_pin_info_from_json(std::string_view text) {
  TRY(const json_in::Json json, json_in::parse_object(text));
  GlobalPinInfo info;
  json_in::Members in(json);
  in.get("cid", info.cid)
      .get("name", info.name)
      .get("allocations", info.allocations)
      .get("origins", info.origins)
      .get("created", info.created)
      .get("metadata", info.metadata);
  const json_in::Json* const peers = in.object("peer_map");
  TRY_VOID(in.status());
  if (peers != nullptr) {
    for (const auto& [peer, item] : peers->items()) {
      if (!item.is_object()) {
        return fail(Code::InvalidArgument, "field peer_map: not an object");
      }
      TRY(info.peer_map[peer], short_from_json(item));
    }
  }
  return info;
}

}  // namespace ica::api
