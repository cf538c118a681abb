#pragma once

#include <map>
#include <string>

#include "agent/config/config.h"

namespace ica::config {

// Name to value. A map, so that tests bring their own.
using Environment = std::map<std::string, std::string, std::less<>>;
Environment process_environment();

// Lays CLUSTER_* variables and *_FILE secrets over `config`. Variables that look like ours and are
// not known go into `warnings`, with the name that was probably meant. Errors: InvalidArgument,
// with the reference's words; Io for a secret's file that cannot be read.
Status apply_environment(const Environment& environment, Config& config, Strings& warnings);

// A secret from NAME or from the file that NAME_FILE names; nothing when neither is set. Both set
// is an error.
Result<std::optional<std::string>> secret_from_environment(const Environment& environment,
                                                           const std::string& name);

}  // namespace ica::config
