#include "agent/cmd/gauges.h"

#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr Duration kSizePeriod = std::chrono::seconds(30);
constexpr Duration kAwayPeriod = std::chrono::milliseconds(500);
constexpr Duration kObjectsPeriod = std::chrono::hours(1);
constexpr int kObjectsShare = 100;  // at most a hundredth of the time

}  // namespace

telemetry::RepoValues Gauges::repo() const {
  const std::lock_guard lock(mutex_);
  return repo_;
}

Task<void> Gauges::read_size(StopToken stop) {
  const auto stat = co_await connector_->repo_stat(stop);
  if (stat) {
    const std::lock_guard lock(mutex_);
    repo_.size = stat->repo_size;
    repo_.storage_max = stat->storage_max;
  }
}

Task<void> Gauges::read_objects(StopToken stop) {
  const SteadyTime begin = std::chrono::steady_clock::now();
  if (begin < objects_due_) {
    co_return;
  }
  const auto objects = co_await connector_->repo_objects(stop);
  const SteadyTime end = std::chrono::steady_clock::now();
  objects_due_ = end + std::max<Duration>(kObjectsPeriod, (end - begin) * kObjectsShare);
  if (!objects) {
    log_debug("metrics", "counting Kubo's objects: {}", objects.error().message());
    co_return;
  }
  const std::lock_guard lock(mutex_);
  repo_.objects = *objects;
}

Task<void> Gauges::poll(std::shared_ptr<Gauges> self, StopToken stop) {
  while (!stop.stop_requested()) {
    const bool reachable = self->connector_->reachable();
    if (reachable) {
      co_await self->read_size(stop);
      co_await self->read_objects(stop);
    }
    const Status slept = co_await sleep_for(reachable ? kSizePeriod : kAwayPeriod, stop);
    if (!slept) {
      break;
    }
  }
}

}  // namespace ica::cmd
