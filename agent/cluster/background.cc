#include "agent/cluster/background.h"

#include <atomic>
#include <list>

#include "agent/cluster/event_log.h"
#include "agent/cluster/orchestrator.h"
#include "agent/monitor/disk_guard.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/offload.h"

namespace ica::cluster {
namespace {

constexpr Duration kKuboWaitMin = std::chrono::milliseconds(200);
constexpr Duration kKuboWaitMax = std::chrono::seconds(5);
// How soon a new order is told to the others.
constexpr Duration kOrderTick = std::chrono::seconds(1);
// How soon an expiry is noticed that was set after the last look.
constexpr Duration kExpiryTick = std::chrono::seconds(2);
// A first metric waits so long for Kubo to measure its repository.
constexpr Duration kFirstStat = std::chrono::seconds(5);

bool is_private_v4(std::string_view host) {
  unsigned a = 0;
  unsigned b = 0;
  if (std::sscanf(std::string(host).c_str(), "%u.%u", &a, &b) != 2) {
    return true;
  }
  return a == 0 || a == 10 || a == 127 || a >= 224 || (a == 172 && b >= 16 && b < 32) ||
         (a == 192 && b == 168) || (a == 169 && b == 254) || (a == 100 && b >= 64 && b < 128);
}

// Only addresses that are of use outside this network are told to others.
bool is_public(const Multiaddr& address) {
  const auto components = address.components();
  if (components.empty()) {
    return false;
  }
  const auto& first = components.front();
  if (first.name.starts_with("dns")) {
    return true;
  }
  if (first.name == "ip4") {
    return !is_private_v4(first.value);
  }
  return first.name == "ip6" && !first.value.empty() &&
         (first.value[0] == '2' || first.value[0] == '3');
}

decltype(tracker::Gates::ended) ended_gate(EventLog* events) {
  if (events == nullptr) {
    return nullptr;
  }
  return [events](const Cid& cid, api::TrackerStatus status, const std::string& error,
                  store::Batch& batch) { events->operation_ended(cid, status, error, batch); };
}

}  // namespace

struct Background::Impl : std::enable_shared_from_this<Impl> {
  Impl(Parts p, Cluster& c, monitor::Publisher::Send send)
      : parts(std::move(p)),
        cluster(c),
        publisher(parts.monitor, parts.clock, parts.self, std::move(send)),
        disk(parts.clock,
             {parts.config.agent.disk_high_percent, parts.config.agent.disk_low_percent}) {}

  const Parts parts;
  Cluster& cluster;
  monitor::Publisher publisher;
  monitor::DiskGuard disk;
  std::list<monitor::Informer> informers;
  monitor::Informer agent_informer;
  StopSource stop;
  std::atomic<bool> ready{false};
  std::atomic<int> running{0};
  monitor::PingValue last_ping;  // used by the ping loop only

  using Self = std::shared_ptr<Impl>;

  static Task<api::Metric> sample_ping(Impl* self) {
    auto id = co_await self->parts.connector.id(self->stop.get_token());
    self->last_ping.peername = self->parts.config.cluster.peername;
    if (id) {  // otherwise the last good one is told again
      self->last_ping.ipfs_id = id->id;
      self->last_ping.ipfs_addresses.clear();
      for (const Multiaddr& address : id->addresses.items) {
        if (is_public(address)) {
          self->last_ping.ipfs_addresses.push_back(address);
        }
      }
    }
    co_return monitor::ping_metric(self->last_ping);
  }

  // Measures in a loop of its own: Kubo may take minutes, and the metric must not run out
  // meanwhile.
  static Task<void> disk_loop(Self self) {
    const StopToken token = self->stop.get_token();
    const Duration period = self->parts.config.informer_disk.metric_ttl / 2;
    while (!token.stop_requested()) {
      auto stat = co_await self->parts.connector.repo_stat(token);
      if (stat) {
        self->disk.update(stat->repo_size, stat->storage_max,
                          monitor::space_of(self->parts.config.agent.disk_path));
      } else if (!token.stop_requested()) {
        log_warn("diskinfo", "repo stat: {}", stat.error().message());
      }
      const Status slept = co_await sleep_for(period, token);
      if (!slept) {
        co_return;
      }
    }
  }

  static Task<api::Metric> sample_disk(Impl* self) {
    auto reading = self->disk.reading();
    for (Duration waited{}; !reading && waited < kFirstStat; waited += kKuboWaitMin) {
      const Status slept = co_await sleep_for(kKuboWaitMin, self->stop.get_token());
      if (!slept) {
        break;
      }
      reading = self->disk.reading();
    }
    // An old value speaks for a Kubo that is slow to measure, not for one that is gone.
    if (!reading || reading->age > monitor::DiskGuard::kMaxAge ||
        !self->parts.connector.reachable()) {
      co_return api::Metric();
    }
    if (self->parts.config.informer_disk.metric_type == "reposize") {
      co_return monitor::reposize_metric(reading->repo_size);
    }
    if (reading->full || self->cluster.orchestrator().own_closed()) {
      co_return api::Metric();  // nobody allocates to a peer that tells no free space
    }
    co_return monitor::freespace_metric(0, reading->free);
  }

  static Task<api::Metric> sample_queue(Impl* self) {
    const auto counts = self->parts.tracker.counts();
    co_return monitor::pinqueue_metric(counts.pin_queued,
                                       self->parts.config.informer_pin_queue.weight_bucket_size);
  }

  static Task<api::Metric> sample_pins(Impl* self) {
    co_return monitor::numpin_metric(self->parts.tracker.counts().pinned);
  }

  static Task<api::Metric> sample_agent(Impl* self) {
    co_return monitor::tag_metric(self->cluster.orchestrator().agent_value());
  }

  static Task<api::Metric> sample_tag(std::string value) { co_return monitor::tag_metric(value); }

  void make_informers() {
    const config::Config& c = parts.config;
    const Duration ping = c.cluster.monitor_ping_interval;
    informers.push_back(
        {std::string(monitor::kPing), ping * 2, ping, [this] { return sample_ping(this); }});
    if (c.informer_disk.enabled) {
      const Duration ttl = c.informer_disk.metric_ttl;
      informers.push_back(
          {c.informer_disk.metric_type, ttl, ttl / 2, [this] { return sample_disk(this); }});
    }
    if (c.informer_pin_queue.enabled) {
      const Duration ttl = c.informer_pin_queue.metric_ttl;
      informers.push_back({"pinqueue", ttl, ttl / 2, [this] { return sample_queue(this); }});
    }
    // The reference has this metric and no section that would switch it on.
    const auto& by = c.allocator.allocate_by;
    if (std::find(by.begin(), by.end(), "numpin") != by.end()) {
      const Duration ttl = c.informer_disk.metric_ttl;
      informers.push_back({"numpin", ttl, ttl / 2, [this] { return sample_pins(this); }});
    }
    agent_informer = {std::string(kAgentMetric), ping * 2, ping,
                      [this] { return sample_agent(this); }};
    if (c.informer_tags.enabled) {
      for (const auto& [name, value] : c.informer_tags.tags) {
        const Duration ttl = c.informer_tags.metric_ttl;
        informers.push_back({"tag:" + name, ttl, ttl / 2, [value] { return sample_tag(value); }});
      }
    }
  }

  void launch(Executor executor, Task<void> loop, const char* what) {
    running.fetch_add(1);
    spawn(std::move(executor), counted(shared_from_this(), std::move(loop)), what);
  }
  static Task<void> counted(Self self, Task<void> loop) {
    co_await std::move(loop);
    self->running.fetch_sub(1);
  }

  // A peer whose Kubo was never there tells no metrics, so that nothing is allocated to it.
  static Task<void> wait_for_kubo(Self self, Executor executor) {
    const StopToken token = self->stop.get_token();
    Duration wait = kKuboWaitMin;
    bool told = false;
    while (!token.stop_requested()) {
      auto id = co_await self->parts.connector.id(token);
      if (id) {
        break;
      }
      if (!told) {
        log_warn("cluster", "IPFS is not ready yet: {}", id.error().message());
        told = true;
      }
      const Status slept = co_await sleep_for(wait, token);
      if (!slept) {
        co_return;
      }
      wait = std::min(wait * 2, kKuboWaitMax);
    }
    if (token.stop_requested()) {
      co_return;
    }
    self->ready.store(true);
    log_info("cluster", "IPFS is ready");
    self->launch(executor, disk_loop(self), "disk loop");
    for (const monitor::Informer& informer : self->informers) {
      self->launch(executor, run_informer(self, &informer), "informer");
    }
    self->launch(executor, recover_loop(self), "recover loop");
    if (!self->parts.config.cluster.follower_mode) {
      self->launch(executor, agent_loop(self), "agent metric");
      self->launch(executor, watch_loop(self), "watching for lost peers");
      self->launch(executor, work_loop(self), "moving pins");
    }
  }

  static Task<void> run_informer(Self self, const monitor::Informer* informer) {
    co_await self->publisher.run(*informer, self->stop.get_token());
  }

  // Every period, and soon after an order.
  static Task<void> agent_loop(Self self) {
    const StopToken token = self->stop.get_token();
    std::string told;
    Duration since = self->agent_informer.period;
    while (true) {
      std::string now = self->cluster.orchestrator().agent_value();
      if (since >= self->agent_informer.period || now != told) {
        told = std::move(now);
        since = Duration::zero();
        co_await self->publisher.publish(self->agent_informer);
      }
      const Duration tick = std::min<Duration>(kOrderTick, self->agent_informer.period);
      const Status slept = co_await sleep_for(tick, token);
      if (!slept) {
        co_return;
      }
      since += tick;
    }
  }

  static Task<void> watch_loop(Self self) {
    co_await self->cluster.orchestrator().watch_loop(self->stop.get_token());
  }

  static Task<void> work_loop(Self self) {
    co_await self->cluster.orchestrator().work_loop(self->stop.get_token());
  }

  static Task<void> alert_loop(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status slept = co_await sleep_for(self->parts.config.monitor.check_interval, token);
      if (!slept) {
        co_return;
      }
      for (const PeerId& peer : self->parts.monitor.take_returned()) {
        log_info("monitor", "peer {} is back", peer);
      }
      for (const api::Alert& alert : self->parts.monitor.check()) {
        log_warn("monitor", "metric {} of peer {} has expired", alert.metric.name,
                 alert.metric.peer);
      }
    }
  }

  // Looks at the first entry of the index of expiries only.
  static Task<void> expiry_loop(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status slept = co_await sleep_for(kExpiryTick, token);
      if (!slept) {
        co_return;
      }
      auto look = [self] { return self->parts.pinset.next_expiry(); };
      const auto next = co_await run_on(self->parts.disk, std::move(look));
      if (next && (!*next || **next > self->parts.clock.now())) {
        continue;
      }
      auto removed = co_await self->cluster.remove_expired(token);
      if (!removed) {
        log_error("cluster", "removing expired pins: {}", removed.error().message());
      }
    }
  }

  static Task<Status> ignore_batch(std::vector<tracker::TrackedPin>) { co_return Status(); }

  static Task<void> recover_loop(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status compared = co_await self->parts.tracker.reconcile(token);
      if (!compared && !token.stop_requested()) {
        log_warn("pintracker", "comparing with IPFS: {}", compared.error().message());
      }
      const Status recovered = co_await self->parts.tracker.recover_all(&ignore_batch, token);
      if (!recovered && !token.stop_requested()) {
        log_warn("pintracker", "recovering: {}", recovered.error().message());
      }
      const Status slept =
          co_await sleep_for(self->parts.config.cluster.pin_recover_interval, token);
      if (!slept) {
        co_return;
      }
    }
  }

  static Task<void> wait_all(Self self) {
    self->stop.request_stop();
    while (self->running.load() > 0) {
      const Status slept = co_await sleep_for(std::chrono::milliseconds(2));
      (void)slept;
    }
  }
};

Background::Background(Parts parts, Cluster& cluster, monitor::Publisher::Send send)
    : impl_(std::make_shared<Impl>(std::move(parts), cluster, std::move(send))) {
  impl_->parts.tracker.set_gates({.paused =
                                      [weak = std::weak_ptr(impl_)] {
                                        const auto impl = weak.lock();
                                        return impl && impl->disk.full();
                                      },
                                  .may_release = cluster.release_gate(),
                                  .ended = ended_gate(impl_->parts.events)});
}
Background::~Background() = default;

void Background::start(Executor executor) {
  impl_->make_informers();
  impl_->launch(executor, Impl::wait_for_kubo(impl_, executor), "wait for IPFS");
  impl_->launch(executor, Impl::alert_loop(impl_), "alert loop");
  impl_->launch(executor, Impl::expiry_loop(impl_), "expiry loop");
}

Task<void> Background::stop() {
  return Impl::wait_all(impl_);
}

bool Background::ready() const {
  return impl_->ready.load();
}

}  // namespace ica::cluster
