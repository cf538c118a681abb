#include "agent/monitor/informer.h"

#include <limits>

#include "common/base/async.h"

namespace ica::monitor {

api::Metric freespace_metric(uint64_t repo_size, uint64_t storage_max) {
  api::Metric metric;
  const uint64_t free = storage_max > repo_size ? storage_max - repo_size : 0;
  metric.value = std::to_string(free);
  metric.weight =
      static_cast<int64_t>(std::min<uint64_t>(free, std::numeric_limits<int64_t>::max()));
  metric.valid = free > 0;
  return metric;
}

api::Metric reposize_metric(uint64_t repo_size) {
  api::Metric metric;
  metric.value = std::to_string(repo_size);
  metric.weight =
      -static_cast<int64_t>(std::min<uint64_t>(repo_size, std::numeric_limits<int64_t>::max()));
  metric.valid = true;
  return metric;
}

api::Metric pinqueue_metric(uint64_t queued, int weight_bucket_size) {
  api::Metric metric;
  metric.value = std::to_string(queued);
  metric.weight =
      -static_cast<int64_t>(queued / static_cast<uint64_t>(std::max(weight_bucket_size, 1)));
  metric.valid = true;
  return metric;
}

api::Metric numpin_metric(uint64_t pins) {
  api::Metric metric;
  metric.value = std::to_string(pins);
  metric.valid = true;
  return metric;
}

api::Metric tag_metric(std::string_view value) {
  api::Metric metric;
  metric.value = std::string(value);
  metric.partitionable = true;
  metric.valid = true;
  return metric;
}

api::Metric ping_metric(const PingValue& value) {
  api::Metric metric;
  metric.value = encode_ping(value);
  metric.valid = true;
  return metric;
}

Task<void> Publisher::publish(const Informer& informer) {
  api::Metric metric = co_await informer.sample();
  if (!metric.valid) {
    co_return;
  }
  metric.name = informer.name;
  metric.peer = self_;
  metric.expire = clock_.now().plus(informer.ttl).unix_nanos();
  if (monitor_.add(metric) && send_) {
    send_(metric);
  }
}

Task<void> Publisher::run(const Informer& informer, StopToken stop) {
  while (!stop.stop_requested()) {
    co_await publish(informer);
    const Status slept = co_await sleep_for(informer.period, stop);
    if (!slept) {
      break;
    }
  }
}

}  // namespace ica::monitor
