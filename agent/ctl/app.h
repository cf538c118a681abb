#pragma once

#include <string>
#include <vector>

#include "agent/ctl/console.h"

namespace ica::ctl {

// The whole program: `args` without the program's name. Gives the exit code.
int run(const std::vector<std::string>& args, Console& console);

}  // namespace ica::ctl
