#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/api/status.h"

// Types of the Pinning Services API, version 1.0, as the reference reads and writes them.
namespace ica::api {

struct ServicePin {
  Cid cid;
  std::string name;
  std::vector<Multiaddr> origins;
  std::map<std::string, std::string> meta;
};
// Whether a name (UTF-8) has at most 255 characters, as the specification counts them; the
// reference counts bytes.
bool fits_service_name(std::string_view name);
// A pin without a CID is no error here. Errors: InvalidArgument, with the reference's words where
// it has some ("pin name is over 255 chars").
Result<ServicePin> service_pin_from_json(std::string_view json);
// An object whose values are strings: the filter `meta`.
Result<std::map<std::string, std::string>> string_map_from_json(std::string_view json);

// Bits, so that a mask of them is a filter; 0 is none of them.
enum class ServiceStatus : uint32_t {
  Undefined = 0,
  Queued = 1,
  Pinning = 2,
  Pinned = 4,
  Failed = 8
};
inline constexpr uint32_t kAllServiceStatuses = 15;
std::string_view to_string(ServiceStatus status);
// A comma list; spaces and unknown names are ignored. 0 when it names nothing known.
uint32_t parse_service_statuses(std::string_view list);

// What peers say together: failed when one of them failed, else the least advanced of queued,
// pinning, pinned.
ServiceStatus service_status_of(const GlobalPinInfo& info);
// The peers' statuses that show as one of `services`.
StatusFilter tracker_filter_of(uint32_t services);

struct ServicePinStatus {
  std::string request_id;
  ServiceStatus status = ServiceStatus::Undefined;
  Time created;
  ServicePin pin;
  std::vector<Multiaddr> delegates;
};
// Name, origins and metadata of the pin are left out when empty; `info` is always the reference's.
void write_json(JsonWriter& out, const ServicePinStatus& status);

// {"error":{"reason":"..."}}
std::string service_error_json(std::string_view reason);

}  // namespace ica::api
