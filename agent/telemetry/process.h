#pragma once

#include <cstdint>

namespace ica::telemetry {

// This process, as the kernel and the allocator see it.
struct ProcessValues {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since 1970
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_files = 0;
  uint64_t max_files = 0;
  uint64_t threads = 0;
  uint64_t allocated_bytes = 0;  // by malloc, without what it keeps for reuse
};

// Costs a few reads of /proc. Values that cannot be read are 0.
ProcessValues read_process();

}  // namespace ica::telemetry
