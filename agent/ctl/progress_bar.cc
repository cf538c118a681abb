#include "agent/ctl/progress_bar.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/ctl/text.h"

namespace ica::ctl {

std::string progress_line(uint64_t sent, uint64_t total, double seconds) {
  constexpr size_t kWidth = 30;
  const std::string rate =
      humanize_bytes(seconds > 0 ? static_cast<uint64_t>(static_cast<double>(sent) / seconds) : 0);
  if (total == 0) {
    return fmt::format(" {} {}/s", humanize_bytes(sent), rate);
  }
  const double share = std::min(1.0, static_cast<double>(sent) / static_cast<double>(total));
  const auto filled = static_cast<size_t>(share * static_cast<double>(kWidth));
  std::string bar(filled, '=');
  if (filled < kWidth) {
    bar += '>';
  }
  return fmt::format(" {} / {} [{}] {:3.0f}% {}/s", humanize_bytes(sent), humanize_bytes(total),
                     pad_right(bar, kWidth), share * 100, rate);
}

void ProgressBar::start(uint64_t total) {
  active_ = true;
  total_ = total;
  started_ = std::chrono::steady_clock::now();
}

void ProgressBar::update(uint64_t sent) {
  const auto now = std::chrono::steady_clock::now();
  if (!active_ || (now - drawn_ < std::chrono::milliseconds(100) && sent != total_)) {
    return;
  }
  drawn_ = now;
  const std::chrono::duration<double> elapsed = now - started_;
  console_.set_progress_line(progress_line(sent, total_, elapsed.count()));
}

void ProgressBar::finish() {
  if (active_) {
    active_ = false;
    console_.set_progress_line("");
  }
}

}  // namespace ica::ctl
