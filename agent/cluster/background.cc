#include "agent/cluster/background.h"

#include <atomic>
#include <list>

#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr Duration kKuboWaitMin = std::chrono::milliseconds(200);
constexpr Duration kKuboWaitMax = std::chrono::seconds(5);

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

}  // namespace

struct Background::Impl : std::enable_shared_from_this<Impl> {
  Impl(Parts p, Cluster& c, monitor::Publisher::Send send)
      : parts(std::move(p)),
        cluster(c),
        publisher(parts.monitor, parts.clock, parts.self, std::move(send)) {}

  const Parts parts;
  Cluster& cluster;
  monitor::Publisher publisher;
  std::list<monitor::Informer> informers;
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

  static Task<api::Metric> sample_disk(Impl* self) {
    auto stat = co_await self->parts.connector.repo_stat(self->stop.get_token());
    if (!stat) {
      log_warn("diskinfo", "repo stat: {}", stat.error().message());
      co_return api::Metric();
    }
    if (self->parts.config.informer_disk.metric_type == "reposize") {
      co_return monitor::reposize_metric(stat->repo_size);
    }
    co_return monitor::freespace_metric(stat->repo_size, stat->storage_max);
  }

  static Task<api::Metric> sample_queue(Impl* self) {
    const auto counts = self->parts.tracker.counts();
    co_return monitor::pinqueue_metric(counts.pin_queued,
                                       self->parts.config.informer_pin_queue.weight_bucket_size);
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
    for (const monitor::Informer& informer : self->informers) {
      self->launch(executor, run_informer(self, &informer), "informer");
    }
    self->launch(executor, recover_loop(self), "recover loop");
  }

  static Task<void> run_informer(Self self, const monitor::Informer* informer) {
    co_await self->publisher.run(*informer, self->stop.get_token());
  }

  static Task<void> alert_loop(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status slept = co_await sleep_for(self->parts.config.monitor.check_interval, token);
      if (!slept) {
        co_return;
      }
      for (const api::Alert& alert : self->parts.monitor.check()) {
        log_warn("monitor", "metric {} of peer {} has expired", alert.metric.name,
                 alert.metric.peer);
      }
    }
  }

  static Task<void> expiry_loop(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status slept =
          co_await sleep_for(self->parts.config.cluster.state_sync_interval, token);
      if (!slept) {
        co_return;
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
    : impl_(std::make_shared<Impl>(std::move(parts), cluster, std::move(send))) {}
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
