#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/api/name_match.h"
#include "common/api/pin_service.h"
#include "common/http/url.h"

namespace ica::pinsvc {

using Match = api::NameMatch;

inline constexpr uint64_t kDefaultLimit = 10;
inline constexpr uint64_t kMaxLimit = 1000;  // the specification's; more is taken as this

// The filters of GET /pins.
struct ListQuery {
  std::vector<Cid> cids;
  std::string name;  // as api::name_to_match has it
  Match match = Match::Exact;
  uint32_t statuses = 0;  // of api::ServiceStatus; 0: all
  Time before;            // zero: no bound, as the next one
  Time after;
  uint64_t limit = kDefaultLimit;
  std::map<std::string, std::string> meta;

  bool wants(const api::PinOptions& options) const { return wants(options.name, options.metadata); }
  bool wants(const std::string& name, const std::map<std::string, std::string>& metadata) const;
  // Both bounds are exclusive, so that a client can page by the time of the oldest pin that it has.
  bool wants(Time created) const;
};

// Errors: InvalidArgument with the reference's words.
Result<ListQuery> read_list_query(const http::Query& query);

}  // namespace ica::pinsvc
