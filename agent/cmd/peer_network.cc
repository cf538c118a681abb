#include "agent/cmd/peer_network.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>

#include "agent/cmd/compaction.h"
#include "agent/cmd/crdt_topic.h"
#include "agent/cmd/kubo_swarm.h"
#include "agent/cmd/metric_topic.h"
#include "agent/cmd/pinset_protocol.h"
#include "agent/rpc/remote_peers.h"
#include "agent/rpc/server.h"
#include "common/api/peer.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/crypto/random.h"

namespace ica::cmd {
namespace {

constexpr Duration kIdLimit = std::chrono::seconds(10);
constexpr Duration kStartLimit = std::chrono::seconds(3);
constexpr Duration kStartPoll = std::chrono::milliseconds(50);
constexpr Duration kIntroductions = std::chrono::seconds(30);
constexpr std::array<Duration, 3> kStuckRetries = {
    std::chrono::milliseconds(700), std::chrono::seconds(3), std::chrono::seconds(10)};
// For others to fetch our last change before we leave.
constexpr Duration kFarewell = std::chrono::milliseconds(250);
// The end of a partition must be noticed within seconds, and a dial to nobody costs little.
constexpr Duration kReconnectMax = std::chrono::seconds(8);
constexpr Duration kBootstrapRetryMin = std::chrono::seconds(1);
constexpr Duration kBootstrapRetryMax = std::chrono::seconds(30);

// The first one is dialled with, all are accepted. None: an open network.
std::vector<Bytes> secrets_of(const config::Cluster& settings) {
  std::vector<Bytes> out;
  if (!settings.secret.empty()) {
    out.push_back(settings.secret);
    if (!settings.secret_old.empty() && settings.secret_old != settings.secret) {
      out.push_back(settings.secret_old);
    }
  }
  return out;
}

p2p::HostOptions host_options(const PeerNetwork::Needs& needs) {
  const config::Cluster& c = needs.config.cluster;
  p2p::HostOptions options(needs.identity.key);
  options.secrets = secrets_of(c);
  options.listen = c.listen_multiaddress;
  options.announce = c.announce_multiaddress;
  options.no_announce = c.no_announce_multiaddress;
  options.agent_version = fmt::format("ipfs-cluster-agent/{}", api::kReferenceVersion);
  options.peerstore = needs.config.resolve(c.peerstore_file);
  for (const Multiaddr& address : c.peer_addresses) {
    if (address.peer_id()) {
      options.peer_addresses.push_back(address);
    }
  }
  options.bootstrap_names = needs.config.agent.bootstrap_dns;
  options.disk = needs.runtime.disk();
  options.mdns_interval = c.mdns_interval;
  options.dial_timeout = c.dial_peer_timeout;
  options.reconnect_max = kReconnectMax;
  options.high_water = static_cast<size_t>(std::max(1, c.connection_manager.high_water));
  options.low_water = static_cast<size_t>(std::max(1, c.connection_manager.low_water));
  options.trim_grace = c.connection_manager.grace_period;
  return options;
}

p2p::Gossip::Options gossip_options(const config::Pubsub& settings) {
  p2p::Gossip::Options options;
  auto& params = options.params;
  // The reference multiplies the library's parameters with the factor.
  const auto factor = static_cast<size_t>(std::max(1, settings.d_factor));
  params.d = 6 * factor;
  params.d_lo = 5 * factor;
  params.d_hi = 12 * factor;
  params.d_out = 2 * factor;
  params.d_lazy = 6 * factor;
  params.heartbeat = settings.heartbeat_interval;
  params.history_length = static_cast<size_t>(std::max(1, settings.history_length));
  params.history_gossip = static_cast<size_t>(std::max(1, settings.history_gossip));
  return options;
}

std::map<std::string, api::Bandwidth> bandwidth(const p2p::Host& host) {
  std::map<std::string, api::Bandwidth> out;
  for (const auto& [protocol, traffic] : host.bandwidth()) {
    out[protocol] = {.total_in = traffic.total_in,
                     .total_out = traffic.total_out,
                     .rate_in = traffic.rate_in,
                     .rate_out = traffic.rate_out};
  }
  return out;
}

crdt::Synchronizer::Options sync_options(const config::Crdt& settings) {
  crdt::Synchronizer::Options options;
  options.announcer.rebroadcast = settings.rebroadcast_interval;
  return options;
}

}  // namespace

struct PeerNetwork::Impl : std::enable_shared_from_this<Impl> {
  using Self = std::shared_ptr<Impl>;

  explicit Impl(Needs n)
      : needs(std::move(n)),
        net(needs.runtime.net().get_executor()),
        strand(asio::make_strand(net)),
        host(net, host_options(needs)),
        gossip(host, needs.identity.key, net, needs.clock,
               gossip_options(needs.config.cluster.pubsub)),
        crdt_topic(needs.config.crdt.cluster_name, needs.replica, needs.trust),
        bitswap(host, [this](const Cid& cid) { return crdt_topic.read(cid); }, net,
                needs.runtime.disk(), {}),
        driver(needs.replica, crdt_topic, crdt_topic, needs.clock, needs.runtime.state(), net,
               sync_options(needs.config.crdt), random_u64()),
        pinset_protocol(host, needs.replica, needs.runtime.disk()),
        history(
            {.store = needs.store,
             .replica = needs.replica,
             .pinset = needs.pinset,
             .driver = driver,
             .state = needs.runtime.state(),
             .disk = needs.runtime.disk(),
             .fresh = needs.config.resolve(needs.config.agent.folder).string() + ".compacting"}),
        compaction(
            {.network = host,
             .pinsets = pinset_protocol,
             .history = history,
             .replica = needs.replica,
             .trust = needs.trust,
             .clock = needs.clock,
             .known_peers = [this] { return known_peers(); },
             .launch = [this](Task<void> task, const char* what) { launch(std::move(task), what); },
             .stop = stop.get_token(),
             .left_behind = needs.left_behind,
             .disk = needs.runtime.disk()}),
        metrics(needs.config, needs.identity.id, needs.monitor, needs.clock, net),
        peers(host, needs.monitor, [this] { return bandwidth(host); }),
        swarm({.self = needs.identity.id,
               .peers = peers,
               .connector = needs.connector,
               .near = [this] { return settled_peers(); },
               .linked = [this] { launch(retry_stuck(shared_from_this()), "stuck pins"); }},
              needs.config.ipfs_http.connect_swarms_delay, strand) {}

  const Needs needs;
  const Executor net;
  const Executor strand;
  p2p::Host host;
  p2p::Gossip gossip;
  CrdtTopic crdt_topic;
  p2p::Bitswap bitswap;
  crdt::SyncDriver driver;
  PinsetProtocol pinset_protocol;
  StopSource stop;
  HistorySwitch history;
  Compaction compaction;
  MetricTopic metrics;
  rpc::RemotePeers peers;
  KuboSwarm swarm;  // on the strand
  std::unique_ptr<rpc::Server> server;
  std::atomic<const rpc::Server*> answering{nullptr};  // the same, for scrapes
  std::atomic<int> running{0};
  std::set<PeerId> dialling;  // because they were heard of; on the strand
  std::set<PeerId> settled;   // connected, and can be asked for their ID; on the strand

  // Whoever has pins, was heard of, or can be dialled.
  std::vector<PeerId> known_peers() const {
    std::vector<PeerId> out = host.connected_peers();
    const std::vector<PeerId> alive = needs.monitor.alive();
    out.insert(out.end(), alive.begin(), alive.end());
    for (const Multiaddr& address : host.known_addresses()) {
      if (const auto peer = address.peer_id()) {
        out.push_back(*peer);
      }
    }
    if (auto holders = needs.pinset.allocated_peers()) {
      out.insert(out.end(), holders->begin(), holders->end());
    }
    return out;
  }

  void launch(Task<void> loop, const char* what) {
    running.fetch_add(1);
    spawn(strand, counted(shared_from_this(), std::move(loop)), what);
  }
  static Task<void> counted(Self self, Task<void> loop) {
    co_await std::move(loop);
    self->running.fetch_sub(1);
  }

  // A Go peer answers calls a moment before it can make any itself, and what it has to ask its own
  // parts for ends it then (a nil client in go-libp2p-gorpc; its ID is such a call). Who sends
  // metrics is past that; one that stays silent has had time.
  static Task<void> past_its_start(Self self, PeerId peer) {
    const int64_t met = self->needs.clock.now().unix_nanos();
    const SteadyTime limit = self->needs.clock.steady() + kStartLimit;
    while (self->needs.clock.steady() < limit) {
      const auto ping = self->needs.monitor.last_of(monitor::kPing, peer);
      if (ping && ping->received_at >= met) {
        co_return;
      }
      const Status slept = co_await sleep_for(kStartPoll, self->stop.get_token());
      if (!slept) {
        co_return;
      }
    }
  }

  std::vector<PeerId> settled_peers() const {
    std::vector<PeerId> out = host.connected_peers();
    std::erase_if(out, [this](const PeerId& peer) { return !settled.contains(peer); });
    return out;
  }

  static Task<void> meet(Self self, PeerId peer) {
    co_await past_its_start(self, peer);
    self->settled.insert(peer);
    self->swarm.met(peer);
    co_await introduce(self, peer);
  }

  // What a peer knows of the others' addresses. With one known peer we get to know all.
  static Task<void> introduce(Self self, PeerId peer) {
    const StopToken token = self->stop.get_token();
    auto id = co_await self->peers.id(peer, kIdLimit, token);
    if (!id) {
      log_debug("cluster", "peer {} does not say who it knows: {}", peer, id.error().message());
      co_return;
    }
    if (self->needs.trust->trusts(peer)) {
      self->host.protect(peer);
    }
    std::map<PeerId, std::vector<Multiaddr>> addresses;
    for (const Multiaddr& address : id->cluster_peers_addresses.items) {
      const auto other = address.peer_id();
      if (other && *other != self->needs.identity.id) {
        addresses[*other].push_back(address.without_peer());
      }
    }
    for (const auto& [other, list] : addresses) {
      self->host.add_addresses(other, list);
    }
  }

  // Members that we hear of and are not connected to: somebody knows where they are.
  static Task<void> introductions(Self self) {
    const StopToken token = self->stop.get_token();
    while (true) {
      const Status slept = co_await sleep_for(kIntroductions, token);
      if (!slept) {
        co_return;
      }
      const std::vector<PeerId> connected = self->settled_peers();
      const std::set<PeerId> near(connected.begin(), connected.end());
      bool missing = false;
      for (const PeerId& member : self->needs.monitor.alive()) {
        missing = missing || (member != self->needs.identity.id && !near.contains(member));
      }
      if (missing && !connected.empty()) {
        const auto turn = random_below(static_cast<uint32_t>(connected.size()));
        co_await introduce(self, connected[turn]);
      }
    }
  }

  // A member that is heard of through others and not connected to us is up: earlier attempts to
  // reach it, perhaps before it listened, say nothing any more.
  static Task<void> dial_heard(Self self, PeerId peer) {
    const Status connected = co_await self->host.connect(
        peer, self->needs.config.cluster.dial_peer_timeout, self->stop.get_token());
    (void)connected;
    self->dialling.erase(peer);
  }

  void on_heard(const PeerId& peer) {
    if (host.connections(peer) == 0 && !stop.stop_requested() && dialling.insert(peer).second) {
      launch(dial_heard(shared_from_this(), peer), "dialling a member");
    }
  }

  // An address whose peer is not named: whoever answers there inside the shared secret.
  static Task<void> dial_unnamed(Self self, Multiaddr address) {
    const StopToken token = self->stop.get_token();
    Duration wait = kBootstrapRetryMin;
    while (!token.stop_requested()) {
      auto peer = co_await self->host.connect_address(
          address, self->needs.config.cluster.dial_peer_timeout, token);
      if (peer) {
        log_info("cluster", "bootstrapped to {} at {}", *peer, address);
        const Status added = self->host.add_address(
            address.encapsulate(Multiaddr::parse("/p2p/" + peer->text()).value()));
        (void)added;
        co_return;
      }
      static LogLimiter limiter;
      if (limiter.allow(address.text())) {
        log_warn("cluster", "bootstrapping to {}: {}", address, peer.error().message());
      }
      const Status slept = co_await sleep_for(wait, token);
      if (!slept) {
        co_return;
      }
      wait = std::min(wait * 2, kBootstrapRetryMax);
    }
  }

  // More than once: Kubo may need a moment until it asks whom it has just met, and a pin that
  // begins in that moment misses them too.
  static Task<void> retry_stuck(Self self) {
    const StopToken token = self->stop.get_token();
    for (const Duration wait : kStuckRetries) {
      const Status slept = co_await sleep_for(wait, token);
      if (!slept) {
        break;
      }
      self->needs.tracker.retry_stuck();
    }
  }

  void on_connected(const PeerId& peer) {
    settled.erase(peer);
    if (!stop.stop_requested()) {
      launch(meet(shared_from_this(), peer), "introduction");
    }
  }

  Status start(cluster::Cluster& c) {
    crdt_topic.join(host, gossip, bitswap, driver);
    metrics.join(gossip, [weak = weak_from_this()](const PeerId& peer) {
      if (const auto self = weak.lock()) {
        asio::post(self->strand, [self, peer] { self->on_heard(peer); });
      }
    });
    needs.pinset.set_sink(crdt_topic);
    server = std::make_unique<rpc::Server>(host, c, needs.connector);
    pinset_protocol.on_history([this](const PeerId& peer, const crdt::Epoch& epoch) {
      if (needs.trust->trusts(peer) && epoch.newer_than(needs.replica.epoch())) {
        driver.consider_history(epoch);
      }
    });
    driver.on_newer_history(
        [this](const crdt::Epoch& epoch) { compaction.on_newer_history(epoch); });
    pinset_protocol.serve();
    compaction.serve();
    driver.set_history(pinset_protocol);
    gossip.start();
    bitswap.start();
    server->start();
    answering.store(server.get());
    const std::weak_ptr<Impl> weak = weak_from_this();
    p2p::PeerEvents events;
    events.connected = [weak](const PeerId& peer) {
      if (const auto self = weak.lock()) {
        asio::post(self->strand, [self, peer] { self->on_connected(peer); });
      }
    };
    host.subscribe(std::move(events));
    TRY_VOID(host.start().context("creating host"));
    driver.start();
    for (const Multiaddr& address : needs.config.cluster.peer_addresses) {
      if (!address.peer_id()) {
        launch(dial_unnamed(shared_from_this(), address), "bootstrapping");
      }
    }
    launch(introductions(shared_from_this()), "introductions");
    launch(KuboSwarm::run(&swarm, stop.get_token()), "connecting swarms");
    launch(PinsetProtocol::ask_peers(&pinset_protocol, stop.get_token()), "asking for pinsets");
    return {};
  }

  static Task<void> end(Self self) {
    self->stop.request_stop();
    self->metrics.stop();
    // What was acknowledged a moment ago must not stay here alone until we are back.
    if (!self->host.connected_peers().empty() && self->crdt_topic.announce_last()) {
      const Status served = co_await sleep_for(kFarewell);
      (void)served;
    }
    self->driver.stop();
    if (self->server) {
      co_await self->server->stop();
    }
    co_await self->gossip.stop();
    co_await self->bitswap.stop();
    co_await self->host.stop();
    while (self->running.load() > 0) {
      const Status slept = co_await sleep_for(std::chrono::milliseconds(2));
      (void)slept;
    }
  }
};

PeerNetwork::PeerNetwork(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
PeerNetwork::~PeerNetwork() = default;

Result<std::unique_ptr<PeerNetwork>> PeerNetwork::create(Needs needs) {
  return std::unique_ptr<PeerNetwork>(new PeerNetwork(std::make_shared<Impl>(std::move(needs))));
}

cluster::PeerGroup& PeerNetwork::peers() {
  return impl_->peers;
}

cluster::Compactor& PeerNetwork::compactor() {
  return impl_->compaction;
}

Status PeerNetwork::start(cluster::Cluster& cluster) {
  return impl_->start(cluster);
}

void PeerNetwork::publish(const api::Metric& metric) {
  impl_->metrics.publish(metric);
}

void PeerNetwork::reload(const config::Config& config) {
  impl_->needs.trust->set(config.crdt.trusted_peers);
  // Whether the network is private at all is not changed while it runs.
  if (!config.cluster.secret.empty() && !impl_->needs.config.cluster.secret.empty()) {
    impl_->host.set_secrets(secrets_of(config.cluster));
  }
}

Task<void> PeerNetwork::stop() {
  return Impl::end(impl_);
}

PeerNetwork::Stats PeerNetwork::stats() const {
  const rpc::Server* server = impl_->answering.load();
  return {.gossip = impl_->gossip.stats(),
          .bitswap = impl_->bitswap.stats(),
          .rpc = server != nullptr ? server->stats() : rpc::ServerStats(),
          .connected = impl_->host.connected_peers().size()};
}

std::vector<crdt::PeerPinset> PeerNetwork::peer_pinsets() const {
  return impl_->pinset_protocol.peers();
}

const p2p::Host& PeerNetwork::host() const {
  return impl_->host;
}

}  // namespace ica::cmd
