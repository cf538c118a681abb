#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/api/peer.h"
#include "common/base/result.h"
#include "common/codec/peer_id.h"

// Where a pin goes: a pure function of metrics and options, so that every peer and every test that
// has the same input gives the same answer.
namespace ica::allocator {

// Per metric name the latest valid metric of each peer.
using MetricsSet = std::map<std::string, std::vector<api::Metric>>;

// Candidates in the order of preference. Peers are partitioned by the first name of `allocate_by`,
// each part by the second and so on; partitionable metrics with equal values share a part. Parts
// are tried in turn, heaviest first, so that copies spread over them. Every peer must have every
// metric. `spread` decides between parts of equal weight: other bytes, another order of theirs, so
// that pins which come between two metrics do not all go to the same peers (the reference leaves
// this to chance). Without it they are in the order of their values.
std::vector<PeerId> order(const MetricsSet& metrics, const std::vector<std::string>& allocate_by,
                          std::string_view spread = {});

struct Request {
  int replication_min = 0;
  int replication_max = 0;
  std::vector<PeerId> current;   // allocations of the pin as it stands
  std::vector<PeerId> priority;  // asked for by the user; taken first among new peers
  std::vector<PeerId> excluded;
  std::function<bool(const PeerId&)> eligible;  // empty: everybody
  // Whether a current peer counts as holding the pin, in place of having all metrics: a peer that
  // takes no new pins still holds the old ones. Empty: the reference's rule.
  std::function<bool(const PeerId&)> holds;
  std::string_view spread;  // as order() takes it; outlives the call
};

// The new allocations, empty for "everywhere". Current ones that are still valid are kept, also
// beyond the user's wishes; a peer counts only with an entry for each of `allocate_by` in
// `metrics`. Errors: Conflict "not enough peers to allocate CID. Needed at least: ...".
Result<std::vector<PeerId>> allocate(const Request& request, const MetricsSet& metrics,
                                     const std::vector<std::string>& allocate_by);

}  // namespace ica::allocator
