#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace ica::ctl {

// The text form of the API's JSON documents, each ending in a newline. They take anything that is
// JSON: a field that is missing or of another type counts as empty. Thread-safety: pure functions.
std::string format_id(std::string_view json);
std::string format_pin(std::string_view json);
std::string format_global_pin_info(std::string_view json);
// With a line more for each peer of whom details were told.
std::string format_verbose_pin_info(std::string_view json);
std::string format_version(std::string_view json);
std::string format_metric_names(std::string_view json);
std::string format_metrics(std::string_view json, Time now);
std::string format_alerts(std::string_view json, Time now);
std::string format_bandwidth(std::string_view json);
std::string format_repo_gc(std::string_view json);

// "added <cid> <name>", and the CID alone.
std::string format_added(std::string_view json);
std::string format_added_quiet(std::string_view json);

// The string at a top-level key; empty when there is none.
std::string json_text(std::string_view json, std::string_view key);
int64_t json_number(std::string_view json, std::string_view key);

// The status of each peer in a GlobalPinInfo.
std::vector<std::string> peer_statuses(std::string_view json);

}  // namespace ica::ctl
