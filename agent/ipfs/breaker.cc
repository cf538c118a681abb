#include "agent/ipfs/breaker.h"

#include <algorithm>

namespace ica::ipfs {

Breaker::Breaker(const Options& options)
    : options_(options), random_(options.seed), delay_(options.first_delay) {}

std::optional<std::string> Breaker::refused() const {
  const std::lock_guard lock(mutex_);
  if (!open_) {
    return std::nullopt;
  }
  return cause_;
}

bool Breaker::failed(std::string_view cause) {
  const std::lock_guard lock(mutex_);
  cause_ = cause;
  reached_ = false;
  return !std::exchange(open_, true);
}

void Breaker::succeeded() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  reached_ = true;
  delay_ = options_.first_delay;
}

Duration Breaker::next_delay() {
  const std::lock_guard lock(mutex_);
  const Duration base = delay_;
  delay_ = std::min(delay_ * 2, options_.max_delay);
  std::uniform_real_distribution<double> spread(0.75, 1.25);
  return Duration(static_cast<int64_t>(static_cast<double>(base.count()) * spread(random_)));
}

bool Breaker::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool Breaker::reachable() const {
  const std::lock_guard lock(mutex_);
  return reached_;
}

}  // namespace ica::ipfs
