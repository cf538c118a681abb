#pragma once

#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/pinsvc/list_query.h"

namespace ica::pinsvc {

struct PinList {
  uint64_t count = 0;                          // of all that match
  std::vector<api::ServicePinStatus> results;  // newest first, at most the limit
};

// Answers a list. An exact name is found by the index of names, statuses by each peer's index by
// status; else the pinset is walked. Only the pins that are returned cost questions to peers,
// unless statuses are asked for. Memory: that of the results.
Task<Result<PinList>> list_pins(cluster::Cluster& cluster, ListQuery query, StopToken stop);

api::ServicePinStatus to_service_status(const api::GlobalPinInfo& info);

// The time that a pin is listed under. The pinset keeps whole seconds; pins of one second get a
// fraction each, always the same for a CID, or a client that pages by time would miss some.
Time listed_time(Time created, const Cid& cid);

}  // namespace ica::pinsvc
