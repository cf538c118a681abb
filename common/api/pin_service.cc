#include "common/api/pin_service.h"

#include "common/api/json_in.h"

namespace ica::api {
namespace {

struct Named {
  ServiceStatus status;
  std::string_view name;
};
constexpr Named kNames[] = {{ServiceStatus::Queued, "queued"},
                            {ServiceStatus::Pinning, "pinning"},
                            {ServiceStatus::Pinned, "pinned"},
                            {ServiceStatus::Failed, "failed"}};

constexpr uint32_t bit(TrackerStatus status) {
  return static_cast<uint32_t>(status);
}
constexpr uint32_t bit(ServiceStatus status) {
  return static_cast<uint32_t>(status);
}

constexpr uint32_t kErrors = bit(TrackerStatus::ClusterError) | bit(TrackerStatus::PinError) |
                             bit(TrackerStatus::UnpinError);

}  // namespace

bool fits_service_name(std::string_view name) {
  size_t characters = 0;
  for (const char c : name) {
    characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  }
  return characters <= 255;
}

Result<ServicePin> service_pin_from_json(std::string_view json) {
  TRY(const auto object, json_in::parse_first_object(json));
  ServicePin out;
  NullableList<Multiaddr> origins;
  json_in::Members members(object);
  members.get("cid", out.cid).get("name", out.name).get("origins", origins).get("meta", out.meta);
  TRY_VOID(members.status());
  if (!fits_service_name(out.name)) {
    return fail(Code::InvalidArgument, "pin name is over 255 chars");
  }
  out.origins = std::move(origins.items);
  return out;
}

Result<std::map<std::string, std::string>> string_map_from_json(std::string_view json) {
  TRY(const auto object, json_in::parse_nullable_object(json));
  std::map<std::string, std::string> out;
  if (!json_in::read_strings(object, out)) {
    return fail(Code::InvalidArgument, "not a map of strings");
  }
  return out;
}

std::string_view to_string(ServiceStatus status) {
  for (const Named& known : kNames) {
    if (known.status == status) {
      return known.name;
    }
  }
  return "undefined";
}

uint32_t parse_service_statuses(std::string_view list) {
  std::string text;
  for (const char c : list) {
    if (c != ' ') {
      text.push_back(c);
    }
  }
  uint32_t out = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    for (const Named& known : kNames) {
      if (rest.substr(0, comma) == known.name) {
        out |= bit(known.status);
      }
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return out;
}

ServiceStatus service_status_of(const GlobalPinInfo& info) {
  uint32_t seen = 0;
  for (const auto& [peer, short_info] : info.peer_map) {
    seen |= bit(short_info.status);
  }
  if ((seen & kErrors) != 0) {
    return ServiceStatus::Failed;
  }
  if ((seen & bit(TrackerStatus::PinQueued)) != 0) {
    return ServiceStatus::Queued;
  }
  if ((seen & bit(TrackerStatus::Pinning)) != 0) {
    return ServiceStatus::Pinning;
  }
  return (seen & bit(TrackerStatus::Pinned)) != 0 ? ServiceStatus::Pinned
                                                  : ServiceStatus::Undefined;
}

StatusFilter tracker_filter_of(uint32_t services) {
  StatusFilter out = 0;
  out |= (services & bit(ServiceStatus::Failed)) != 0 ? kErrors : 0;
  out |= (services & bit(ServiceStatus::Queued)) != 0 ? bit(TrackerStatus::PinQueued) : 0;
  out |= (services & bit(ServiceStatus::Pinning)) != 0 ? bit(TrackerStatus::Pinning) : 0;
  out |= (services & bit(ServiceStatus::Pinned)) != 0 ? bit(TrackerStatus::Pinned) : 0;
  return out;
}

void write_json(JsonWriter& out, const ServicePinStatus& status) {
  out.begin_object();
  out.key("requestid").string(status.request_id);
  out.key("status").string(to_string(status.status));
  out.key("created").string(status.created.rfc3339());
  out.key("pin").begin_object();
  out.key("cid").string(status.pin.cid.text());
  if (!status.pin.name.empty()) {
    out.key("name").string(status.pin.name);
  }
  if (!status.pin.origins.empty()) {
    out.key("origins").begin_array();
    for (const Multiaddr& origin : status.pin.origins) {
      out.string(origin.text());
    }
    out.end_array();
  }
  if (!status.pin.meta.empty()) {
    out.key("meta").begin_object();
    for (const auto& [key, value] : status.pin.meta) {
      out.key(key).string(value);
    }
    out.end_object();
  }
  out.end_object();
  out.key("delegates").begin_array();
  for (const Multiaddr& delegate : status.delegates) {
    out.string(delegate.text());
  }
  out.end_array();
  out.key("info").begin_object();
  out.key("source").string("IPFS cluster API");
  out.key("warning1").string("CID used for requestID. Conflicts possible");
  out.key("warning2").string("experimental");
  out.end_object();
  out.end_object();
}

std::string service_error_json(std::string_view reason) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  out.key("error").begin_object();
  out.key("reason").string(reason);
  out.end_object();
  out.end_object();
  return text;
}

}  // namespace ica::api
