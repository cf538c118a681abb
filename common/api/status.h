#pragma once

#include <boost/container/flat_map.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/api/pin.h"

namespace ica::api {

// Bit values of the reference; a filter is an OR of them. Composite names exist in filters only.
enum class TrackerStatus : uint32_t {
  Undefined = 0,
  ClusterError = 2,
  PinError = 4,
  UnpinError = 8,
  Pinned = 16,
  Pinning = 32,
  Unpinning = 64,
  Unpinned = 128,
  Remote = 256,
  PinQueued = 512,
  UnpinQueued = 1024,
  Sharded = 2048,
  UnexpectedlyUnpinned = 4096,
};
std::string_view to_string(TrackerStatus status);
Result<TrackerStatus> parse_tracker_status(std::string_view text);

// A mask; 0 means all. Comma list with spaces removed; unknown names are ignored unless none is
// known
// ("invalid filter value"). "error" = 2+4+8, "queued" = 512+1024.
using StatusFilter = uint32_t;
Result<StatusFilter> parse_status_filter(std::string_view text);
inline bool matches(StatusFilter filter, TrackerStatus status) {
  return filter == 0 || status == TrackerStatus::Undefined ||
         (filter & static_cast<uint32_t>(status)) != 0;
}

// One peer's view of a CID.
struct PinInfoShort {
  std::string peername;
  PeerId ipfs_peer_id;                         // left out when empty
  std::vector<Multiaddr> ipfs_peer_addresses;  // public ones only, left out when empty
  TrackerStatus status = TrackerStatus::Undefined;
  Time timestamp;
  std::string error;
  int attempt_count = 0;
  bool priority_pin = false;
};

// PinInfoShort with the pin it belongs to: what one peer answers.
struct PinInfo {
  Cid cid;
  std::string name;
  PeerId peer;
  NullableList<PeerId> allocations;
  NullableList<Multiaddr> origins;
  Time created;
  std::map<std::string, std::string> metadata;
  PinInfoShort info;
};

// By peer ID text. A listing makes one for every line, so it is one piece of memory.
using PeerMap = boost::container::flat_map<std::string, PinInfoShort>;

struct GlobalPinInfo {
  Cid cid;
  std::string name;
  NullableList<PeerId> allocations;
  NullableList<Multiaddr> origins;
  Time created;
  std::map<std::string, std::string> metadata;
  PeerMap peer_map;
};

// A global view that holds one peer's answer; and one more answer added to it.
GlobalPinInfo to_global(const PinInfo& info);
void add_peer(GlobalPinInfo& global, PinInfo info);
// The same for whoever has the text of info.peer at hand.
void add_peer(GlobalPinInfo& global, PinInfo info, const std::string& peer);

void write_json(JsonWriter& out, const GlobalPinInfo& info);
std::string to_json(const GlobalPinInfo& info);
Result<GlobalPinInfo> global_pin_info_from_json(std::string_view json);

}  // namespace ica::api
