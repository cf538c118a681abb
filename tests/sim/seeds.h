#pragma once

#include <cstdint>
#include <functional>

namespace ica::sim {

// The main function of a simulator: one run a seed, several at a time.
//   NAME [--seeds N] [--seed FIRST] [--jobs N]
// `run` throws Violation; it is called from several threads. The least seed that failed is printed
// with the reason and gives exit code 1. `summary` prints what was seen when none did, and says
// whether it was enough to mean anything.
int run_seeds(int argc, char** argv, const char* name, const std::function<void(uint64_t)>& run,
              const std::function<bool(uint64_t seeds)>& summary);

}  // namespace ica::sim
