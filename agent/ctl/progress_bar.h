#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "agent/ctl/console.h"

namespace ica::ctl {

// The line that `add` keeps at the bottom of a terminal while it sends. Thread-safety: none.
class ProgressBar {
 public:
  explicit ProgressBar(Console& console) : console_(console) {}
  ~ProgressBar() { finish(); }

  // A total of 0 is unknown: only what was sent is shown.
  void start(uint64_t total);
  // Redraws at most ten times a second, and at the end.
  void update(uint64_t sent);
  void finish();

 private:
  Console& console_;
  bool active_ = false;
  uint64_t total_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point drawn_;
};

// " 1.5 MB / 3.0 MB [=========>          ]  50% 1.5 MB/s"
std::string progress_line(uint64_t sent, uint64_t total, double seconds);

}  // namespace ica::ctl
