#pragma once

#include <string>
#include <vector>

namespace ica::cmd {

// The program: reads the line, runs a command, returns the exit code. `args` begins with the name
// by which the program was called.
int run_program(const std::vector<std::string>& args);

}  // namespace ica::cmd
