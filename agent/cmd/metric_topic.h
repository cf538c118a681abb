#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "agent/config/config.h"
#include "agent/monitor/monitor.h"
#include "agent/p2p/gossip.h"
#include "common/base/clock.h"

namespace ica::cmd {

inline constexpr std::string_view kMonitorTopic = "monitor.metrics";

// Metrics of the peers, in and out. A peer that subscribes is told all of ours at once, so that it
// need not wait for the next round. Expiry is judged by the receiver's clock: a neighbour whose
// clock is behind by up to kMaxSkew is heard all the same, with a warning. Thread-safety: any
// thread after join(); it must outlive the gossip's strand.
class MetricTopic {
 public:
  static constexpr Duration kMaxSkew = std::chrono::minutes(10);

  MetricTopic(const config::Config& config, PeerId self, monitor::Monitor& monitor,
              const Clock& clock, Executor executor);

  // `heard` is told of every valid ping, with the peer that it is of.
  void join(p2p::Gossip& gossip, std::function<void(const PeerId&)> heard = {});
  // A metric of ours; invalid ones never leave.
  void publish(const api::Metric& metric);
  void stop();

  // A message of the topic; public for tests.
  void take(BytesView message, const PeerId& author, const PeerId& from);

 private:
  struct Shared;
  Duration ttl_of(std::string_view name) const;
  void repeat_soon();

  const config::Config& config_;
  const PeerId self_;
  monitor::Monitor& monitor_;
  const Clock& clock_;
  const std::shared_ptr<Shared> shared_;
  std::function<void(const PeerId&)> heard_;
};

}  // namespace ica::cmd
