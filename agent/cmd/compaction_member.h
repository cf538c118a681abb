#pragma once

#include "agent/cmd/compaction.h"
#include "agent/p2p/frames.h"

namespace ica::cmd {

inline constexpr Duration kCompactAnswerLimit = std::chrono::seconds(10);
// Until all have the same changes, once nobody makes new ones.
inline constexpr Duration kCompactInStepLimit = std::chrono::seconds(30);
// A million pins take about ten seconds.
inline constexpr Duration kCompactBuildLimit = std::chrono::minutes(2);

inline std::chrono::steady_clock::time_point deadline_after(Duration limit) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(limit);
}

// One that is led: this peer itself, or another one on a stream.
struct Compaction::Member {
  PeerId peer;
  Session* own = nullptr;
  StopToken stop = {};  // ends dialling
  p2p::StreamPtr stream = {};
  std::shared_ptr<p2p::FrameReader> reader = {};
};

}  // namespace ica::cmd
