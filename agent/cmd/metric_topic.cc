#include "agent/cmd/metric_topic.h"

#include "agent/rpc/types.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr Duration kRepeatDelay = std::chrono::milliseconds(200);

}  // namespace

struct MetricTopic::Shared {
  Shared(const Clock& c, Executor e) : clock(c), executor(std::move(e)) {}
  const Clock& clock;
  const Executor executor;
  p2p::Gossip* gossip = nullptr;
  StopSource stop;
  std::mutex mutex;
  std::map<std::string, api::Metric> own;  // the last of each name
  bool repeating = false;

  void send(const api::Metric& metric) {
    const Status sent = gossip->publish(std::string(kMonitorTopic), rpc::encode_metric(metric));
    if (!sent) {
      log_debug("pubsubmon", "metric {} was not sent: {}", metric.name, sent.error().message());
    }
  }

  static Task<void> repeat(std::shared_ptr<Shared> self) {
    const Status slept = co_await sleep_for(kRepeatDelay, self->stop.get_token());
    std::vector<api::Metric> metrics;
    {
      const std::lock_guard lock(self->mutex);
      self->repeating = false;
      for (const auto& [name, metric] : self->own) {
        metrics.push_back(metric);
      }
    }
    if (!slept) {
      co_return;
    }
    for (const api::Metric& metric : metrics) {
      if (!metric.expired_at(self->clock.now())) {
        self->send(metric);
      }
    }
  }
};

MetricTopic::MetricTopic(const config::Config& config, PeerId self, monitor::Monitor& monitor,
                         const Clock& clock, Executor executor)
    : config_(config),
      self_(std::move(self)),
      monitor_(monitor),
      clock_(clock),
      shared_(std::make_shared<Shared>(clock, std::move(executor))) {}

void MetricTopic::join(p2p::Gossip& gossip, std::function<void(const PeerId&)> heard) {
  shared_->gossip = &gossip;
  heard_ = std::move(heard);
  p2p::Gossip::Topic hooks;
  hooks.deliver = [this](Bytes data, const PeerId& author, const PeerId& from) {
    take(data, author, from);
  };
  hooks.subscribed = [this](const PeerId&) { repeat_soon(); };
  gossip.subscribe(std::string(kMonitorTopic), std::move(hooks));
}

void MetricTopic::publish(const api::Metric& metric) {
  if (!metric.valid || metric.expired_at(clock_.now())) {
    return;
  }
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->own[metric.name] = metric;
  }
  shared_->send(metric);
}

void MetricTopic::repeat_soon() {
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->repeating || shared_->own.empty()) {
      return;
    }
    shared_->repeating = true;
  }
  spawn(shared_->executor, Shared::repeat(shared_), "telling metrics again");
}

Duration MetricTopic::ttl_of(std::string_view name) const {
  if (name == monitor::kPing) {
    return config_.cluster.monitor_ping_interval * 2;
  }
  if (name == config_.informer_disk.metric_type) {
    return config_.informer_disk.metric_ttl;
  }
  return name.starts_with("tag:") ? config_.informer_tags.metric_ttl
                                  : config_.informer_pin_queue.metric_ttl;
}

void MetricTopic::take(BytesView message, const PeerId& author, const PeerId& from) {
  static LogLimiter limiter;
  auto metric = rpc::decode_metric(message);
  if (!metric) {
    if (limiter.allow(author.bytes())) {
      log_warn("pubsubmon", "peer {} sent what is no metric: {}", author, metric.error().message());
    }
    return;
  }
  if (metric->peer == self_) {
    return;  // nobody else speaks for us
  }
  const Time now = clock_.now();
  // Straight from the one that made it, so it is new whatever its clock says.
  if (metric->valid && metric->expired_at(now) && author == from && metric->peer == author) {
    const Duration ttl = ttl_of(metric->name);
    const auto made = Time::from_unix_nanos(metric->expire).plus(-ttl);
    const Duration behind = now.since(made);
    if (behind <= kMaxSkew) {
      if (limiter.allow(Bytes("skew ").append(author.bytes()))) {
        log_warn("pubsubmon",
                 "the clock of peer {} is about {} s behind ours; peers with other clocks may not "
                 "see it as a member",
                 author, std::chrono::duration_cast<std::chrono::seconds>(behind).count());
      }
      metric->expire = now.plus(ttl).unix_nanos();
    }
  } else if (metric->valid && metric->peer == author) {
    const Duration ahead = Time::from_unix_nanos(metric->expire).since(now);
    if (ahead > kMaxSkew && limiter.allow(Bytes("skew ").append(author.bytes()))) {
      log_warn("pubsubmon", "metric {} of peer {} is said to hold for {} s: is its clock ahead?",
               metric->name, author,
               std::chrono::duration_cast<std::chrono::seconds>(ahead).count());
    }
  }
  const bool ping = metric->valid && metric->name == monitor::kPing && metric->peer == author;
  if (monitor_.add(*std::move(metric)) && ping && heard_) {
    heard_(author);
  }
}

void MetricTopic::stop() {
  shared_->stop.request_stop();
}

}  // namespace ica::cmd
