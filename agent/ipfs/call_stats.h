#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ica::ipfs {

// Upper bounds of the latency buckets in seconds; one more bucket takes the rest.
inline constexpr std::array<double, 11> kCallBuckets = {0.001, 0.005, 0.02, 0.1, 0.5, 2,
                                                        10,    30,    120,  600, 3600};

// All calls of one kind that ended one way. A value; for metrics.
struct CallStats {
  std::string_view verb;     // "pin/add", "pin/ls", ...: a fixed set
  std::string_view outcome;  // "ok", "error", "unreachable", "refused", "timeout", "cancelled"
  uint64_t count = 0;
  double seconds = 0;                                       // sum of the durations
  std::array<uint64_t, kCallBuckets.size() + 1> buckets{};  // not cumulative
};

struct BlockStats {
  uint64_t blocks = 0;
  uint64_t bytes = 0;
};

}  // namespace ica::ipfs
