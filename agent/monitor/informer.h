#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/monitor/monitor.h"
#include "common/base/asio.h"

namespace ica::monitor {

// One thing that this peer tells of itself. `sample` gives value, weight, partitionable and valid;
// name, peer and expiry are filled in by the publisher.
struct Informer {
  std::string name;
  Duration ttl{};
  Duration period{};
  std::function<Task<api::Metric>()> sample;
};

// The metrics of the reference. An unknown or zero value is invalid, and so never leaves.
api::Metric freespace_metric(uint64_t repo_size, uint64_t storage_max);
api::Metric reposize_metric(uint64_t repo_size);
api::Metric pinqueue_metric(uint64_t queued, int weight_bucket_size);
api::Metric numpin_metric(uint64_t pins);
api::Metric tag_metric(std::string_view value);
api::Metric ping_metric(const PingValue& value);

// Publishes metrics of this peer: into the own monitor, and through `send` to the others (later
// peers plug in there; empty for a lone peer).
class Publisher {
 public:
  using Send = std::function<void(const api::Metric&)>;
  Publisher(Monitor& monitor, const Clock& clock, PeerId self, Send send)
      : monitor_(monitor), clock_(clock), self_(std::move(self)), send_(std::move(send)) {}

  // Samples and publishes once.
  Task<void> publish(const Informer& informer);
  // Publishes at once and then every period until stopped. The publisher and `informer` must
  // outlive it.
  Task<void> run(const Informer& informer, StopToken stop);

 private:
  Monitor& monitor_;
  const Clock& clock_;
  const PeerId self_;
  const Send send_;
};

}  // namespace ica::monitor
