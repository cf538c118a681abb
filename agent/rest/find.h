#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/rest/exchange.h"
#include "common/api/name_match.h"

namespace ica::rest {

// What GET /allocations and GET /pins may be narrowed by; the reference knows none of it.
struct Find {
  uint64_t limit = 0;               // lines; 0: all
  Cid after;                        // lines behind this CID, in the order of the list
  std::optional<std::string> name;  // as api::name_to_match has it
  api::NameMatch match = api::NameMatch::Exact;
  std::vector<std::pair<std::string, std::string>> meta;  // key, value
  std::optional<Time> created_before;
  std::optional<Time> created_after;

  bool any() const {
    return limit > 0 || after.defined() || name || !meta.empty() || created_before || created_after;
  }
  // Found by its name in the index, or few at a time: cheaper to look up one by one.
  bool few() const {
    return limit > 0 || after.defined() || (name && match == api::NameMatch::Exact);
  }
  bool matches(std::string_view pin_name, const std::map<std::string, std::string>& metadata,
               Time created) const;
};
// Reads limit, after, name, name-match (exact, iexact, partial, ipartial), meta.KEY,
// created-before and created-after (RFC 3339). Errors: InvalidArgument.
Result<Find> read_find(const http::Query& query);

// The pins that match, in key order.
cluster::StreamPtr<api::Pin> find_pins(cluster::Cluster& cluster, uint64_t types, Find find,
                                       StopToken stop);
// Their statuses: of all peers or of this one alone.
cluster::StreamPtr<api::GlobalPinInfo> find_statuses(cluster::Cluster& cluster,
                                                     api::StatusFilter filter, bool local,
                                                     Find find, StopToken stop);

}  // namespace ica::rest
