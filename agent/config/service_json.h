#pragma once

#include "agent/config/environment.h"

namespace ica::config {

inline constexpr std::string_view kServiceFile = "service.json";
inline constexpr size_t kMaxServiceBytes = 8 << 20;

// Reads the text of a service.json, the reference's or ours. Keys that nobody knows go into
// `warnings`. Errors: InvalidArgument, in the reference's words; Unsupported for a folder made for
// raft or with a remote source, which we do not offer.
Result<Config> parse_service_json(std::string_view text, Strings& warnings);

// What all checks of the table say; the first complaint.
Status validate(const Config& config);

// service.json as the reference writes it: its order of keys, its indentation, keys left out where
// it leaves them out. Unknown keys and the datastore section of `original`, an earlier text of the
// file, are kept.
std::string to_service_json(const Config& config, std::string_view original = {});

// For people: every key, also those left out in the file, and secrets masked.
std::string to_display_json(const Config& config);

struct Loaded {
  Config config;
  Strings warnings;
};

// The folder's service.json with the environment over it, checked.
Result<Loaded> load_config(const std::filesystem::path& folder, const Environment& environment);

// Writes service.json into the folder, which is made when it is missing. Only the owner may read
// it.
Status save_config(const Config& config);

// docs/configuration.md
std::string configuration_page();

}  // namespace ica::config
