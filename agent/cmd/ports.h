#pragma once

#include "agent/config/config.h"

namespace ica::cmd {

// The same addresses with TCP and UDP ports that are free at the moment. Errors: Unavailable.
Result<config::Addresses> randomize_ports(const config::Addresses& addresses);

}  // namespace ica::cmd
