#include "agent/cmd/daemon.h"

#include "agent/adder/adder.h"
#include "agent/cluster/background.h"
#include "agent/cmd/gauges.h"
#include "agent/cmd/http_apis.h"
#include "agent/cmd/kubo_probe.h"
#include "agent/cmd/network_values.h"
#include "agent/cmd/notify.h"
#include "agent/cmd/peer_network.h"
#include "agent/cmd/peer_state.h"
#include "agent/cmd/resident.h"
#include "agent/cmd/set_aside.h"
#include "agent/cmd/tracing.h"
#include "agent/telemetry/health_server.h"
#include "common/api/peer.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/offload.h"
#include "common/base/trace.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";
constexpr Duration kBeat = std::chrono::seconds(5);
constexpr Duration kStoreCheck = std::chrono::seconds(1);
constexpr Duration kSettled = std::chrono::seconds(2);
constexpr Duration kMemoryCheck = std::chrono::seconds(15);
constexpr Duration kPoll = std::chrono::milliseconds(200);
// Metrics of the other members come within a second of the connection.
constexpr Duration kMetricsSettle = std::chrono::seconds(5);
constexpr Duration kAnswerGrace = std::chrono::milliseconds(400);

telemetry::BlockValues block_values(const ipfs::Connector& connector) {
  telemetry::BlockValues values;
  for (const auto& calls : connector.call_stats()) {
    if (calls.verb == "block/put" || calls.verb == "dag/import") {
      values.requests += calls.count;
      values.failed += calls.outcome == "ok" ? 0 : calls.count;
    }
  }
  const auto blocks = connector.block_stats();
  values.blocks = blocks.blocks;
  values.bytes = blocks.bytes;
  return values;
}

}  // namespace

// In the order of construction; destroyed in the opposite one.
struct Daemon::Parts {
  Parts(config::Config c, config::Identity i) : config(std::move(c)), identity(std::move(i)) {}

  const config::Config config;
  const config::Identity identity;
  SystemClock clock;
  telemetry::Health health;
  std::unique_ptr<telemetry::HealthServer> health_server;
  Runtime runtime;
  PeerState state;
  monitor::Monitor monitor{clock};
  std::shared_ptr<cluster::Trust> trust;
  std::unique_ptr<PeerNetwork> network;
  std::unique_ptr<cluster::Cluster> cluster;
  std::unique_ptr<cluster::Background> background;
  HttpApis http_apis;
  std::shared_ptr<Gauges> gauges;
  std::shared_ptr<KuboProbe> probe;
  std::shared_ptr<telemetry::TraceExporter> traces;
  StopSource stop;
  std::atomic<int> loops{0};
  std::mutex failure_mutex;
  std::optional<Error> failure;

  // What this peer has cannot be used any more: the next start sets it aside.
  void give_up_history(const crdt::Epoch& theirs, const std::vector<Cid>& own);
  Status start_health();
  Status open_state();
  Status start_cluster();
  void start_loops();
  telemetry::Sources sources();

  void launch(Task<void> loop, const char* what);
  static Task<void> counted(Parts* self, Task<void> loop);
  static Task<void> beat(Parts* self);
  static Task<void> watch_store(Parts* self);
  static Task<void> announce(Parts* self);
  static Task<void> give_back_memory(Parts* self);
  static Task<void> shut_down(Parts* self);
};

void Daemon::Parts::give_up_history(const crdt::Epoch& theirs, const std::vector<Cid>& own) {
  const Status marked = mark_left_behind(config.resolve(config.agent.folder), theirs, own);
  const std::lock_guard lock(failure_mutex);
  failure = Error(
      Code::Closed,
      fmt::format("the other peers began the history of the pinset anew while this peer was away, "
                  "and it has changes that they do not know{}: start it again, then it sets its "
                  "database aside and takes the pinset from the others",
                  marked ? "" : " (" + marked.error().message() + ")"));
}

Status Daemon::Parts::start_health() {
  health_server = std::make_unique<telemetry::HealthServer>(health, config.metrics.enable_stats);
  const auto& address = config.metrics.prometheus_endpoint;
  const auto port = health_server->start(address);
  if (!port && config.metrics.enable_stats) {
    return fail(port.error());
  }
  if (!port) {  // the reference would not listen at all
    log_warn("metrics", "no health checks: {}", port.error().message());
  } else if (config.metrics.enable_stats) {
    log_info("metrics", "stats collection enabled on {}", address);
  }
  return {};
}

Status Daemon::Parts::open_state() {
  TRY_VOID(state.open(config.resolve(config.agent.folder), config, identity.id, runtime, clock));
  probe = std::make_shared<KuboProbe>(state.connector);
  health.set_kubo([this] { return probe->answers(); });
  health.set_store_usable(true);
  return {};
}

Status Daemon::Parts::start_cluster() {
  TRY(traces, start_tracing(config, identity.id));
  trust = std::make_shared<cluster::Trust>(identity.id, config.crdt.trusted_peers);
  TRY(network, PeerNetwork::create(
                   {.config = config,
                    .identity = identity,
                    .clock = clock,
                    .runtime = runtime,
                    .store = *state.store,
                    .replica = *state.replica,
                    .pinset = *state.pinset,
                    .connector = *state.connector,
                    .tracker = *state.tracker,
                    .monitor = monitor,
                    .trust = trust,
                    .left_behind = [this](const crdt::Epoch& theirs, const std::vector<Cid>& own) {
                      give_up_history(theirs, own);
                    }}));
  cluster::Parts parts{.self = identity.id,
                       .config = config,
                       .clock = clock,
                       .pinset = *state.pinset,
                       .tracker = *state.tracker,
                       .connector = *state.connector,
                       .monitor = monitor,
                       .peers = network->peers(),
                       .importer = adder::add,
                       .disk = runtime.disk(),
                       .snapshot = [this] { return state.store->snapshot(); },
                       .trust = trust,
                       .peer_pinsets = [this] { return network->peer_pinsets(); },
                       .store = state.store.get(),
                       .events = state.events.get(),
                       .compactor = &network->compactor(),
                       .settle = kMetricsSettle,
                       .stopping = stop.get_token()};
  cluster = std::make_unique<cluster::Cluster>(parts);
  background = std::make_unique<cluster::Background>(
      parts, *cluster, [this](const api::Metric& metric) { network->publish(metric); });
  TRY_VOID(network->start(*cluster));
  log_info("cluster", "IPFS Cluster v{} listening on:", api::kReferenceVersion);
  for (const auto& address : network->peers().own_addresses()) {
    log_info("cluster", "        {}", address);
  }
  return {};
}

void Daemon::Parts::start_loops() {
  const Executor net = runtime.net().get_executor();
  gauges = std::make_shared<Gauges>(state.connector);
  state.tracker->start();
  background->start(net);
  launch(beat(this), "heartbeat");
  launch(watch_store(this), "looking after the store");
  launch(announce(this), "announcing readiness");
  launch(give_back_memory(this), "giving back memory");
  launch(KuboProbe::run(probe, stop.get_token()), "asking whether Kubo answers");
  if (traces) {
    launch(telemetry::TraceExporter::run(traces, stop.get_token()), "exporting traces");
  }
  if (config.metrics.enable_stats) {
    launch(Gauges::poll(gauges, stop.get_token()), "reading Kubo's repository");
    health_server->set_sources(sources());
  }
}

telemetry::Sources Daemon::Parts::sources() {
  telemetry::Sources s;
  s.pinset = [this] { return state.pinset->info(); };
  s.tracker = [this] { return state.tracker->counts(); };
  s.kubo_calls = [this] { return state.connector->call_stats(); };
  s.kubo_reachable = [this] { return state.connector->reachable(); };
  s.blocks = [this] { return block_values(*state.connector); };
  s.repo = [this] { return gauges->repo(); };
  s.store = [this] { return state.store->stats(); };
  s.network = [this] { return network_values(*network); };
  s.peers = [this] { return cluster->members().size(); };
  s.alerts = [this] { return monitor.alerts().size(); };
  s.disk_weight = [this] {
    const auto last = monitor.last_of(config.informer_disk.metric_type, identity.id);
    return last ? last->weight : 0;
  };
  http_apis.add_sources(s);
  return s;
}

void Daemon::Parts::launch(Task<void> loop, const char* what) {
  loops.fetch_add(1);
  spawn(runtime.net().get_executor(), counted(this, std::move(loop)), what);
}

Task<void> Daemon::Parts::counted(Parts* self, Task<void> loop) {
  co_await std::move(loop);
  self->loops.fetch_sub(1);
}

// Goes through the threads that must not hang.
Task<void> Daemon::Parts::beat(Parts* self) {
  const Executor net = self->runtime.net().get_executor();
  const StopToken token = self->stop.get_token();
  while (!token.stop_requested()) {
    co_await resume_on(self->runtime.state());
    co_await resume_on(net);
    self->health.beat();
    const Status slept = co_await sleep_for(kBeat, token);
    if (!slept) {
      break;
    }
  }
}

// A disk that refuses changes makes the peer unready until it takes them again.
Task<void> Daemon::Parts::watch_store(Parts* self) {
  const StopToken token = self->stop.get_token();
  auto recover = [self] { return self->state.store->recover(); };
  Status slept;
  while (slept) {
    const Status usable = co_await run_on(self->runtime.disk(), recover);
    self->health.set_store_usable(usable.has_value());
    if (!usable && usable.error().code() == Code::Closed) {
      const std::lock_guard lock(self->failure_mutex);
      self->failure = usable.error();
      co_return;
    }
    slept = co_await sleep_for(kStoreCheck, token);
  }
}

// The lines by which users of the reference know that a peer is up.
Task<void> Daemon::Parts::announce(Parts* self) {
  const StopToken token = self->stop.get_token();
  log_info("cluster", "Waiting for IPFS to be ready...");
  while (!self->state.connector->reachable()) {
    const Status slept = co_await sleep_for(kPoll, token);
    if (!slept) {
      co_return;
    }
  }
  const auto id = co_await self->state.connector->id(token);
  if (id) {
    log_info("cluster", "IPFS is ready. Peer ID: {}", id->id);
  } else {
    log_warn("cluster", "IPFS signaled ready but ID() errored: {}", id.error().message());
  }
  const std::vector<PeerId> members = self->cluster->members();
  log_info("cluster", "Cluster Peers (without including ourselves):");
  for (const PeerId& peer : members) {
    if (peer != self->identity.id) {
      log_info("cluster", "    - {}", peer);
    }
  }
  if (members.size() <= 1) {
    log_info("cluster", "    - No other peers");
  }
  log_info("cluster", "** IPFS Cluster is READY **");
  notify_service_manager("READY=1");
}

// Memory that the start and later bursts leave behind. The heap gives back only what is free at its
// end, and what stays in use lies everywhere.
Task<void> Daemon::Parts::give_back_memory(Parts* self) {
  const StopToken token = self->stop.get_token();
  Status slept = co_await sleep_for(kSettled, token);
  PageKeeper keeper;
  while (slept) {
    co_await resume_on(self->runtime.disk());
    keeper.release_after_burst();
    co_await resume_on(self->runtime.net().get_executor());
    slept = co_await sleep_for(kMemoryCheck, token);
  }
}

Task<void> Daemon::Parts::shut_down(Parts* self) {
  co_await self->http_apis.stop(kAnswerGrace);
  if (self->background) {
    co_await self->background->stop();
  }
  if (self->network) {
    co_await self->network->stop();
  }
  if (self->state.tracker) {
    co_await self->state.tracker->stop();
  }
  if (self->state.pinset) {
    self->state.pinset->close();
    while (self->state.pinset->queued() > 0) {
      const Status slept = co_await sleep_for(std::chrono::milliseconds(5));
      (void)slept;
    }
  }
  while (self->loops.load() > 0) {
    const Status slept = co_await sleep_for(std::chrono::milliseconds(2));
    (void)slept;
  }
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() {
  trace::install(nullptr);
  parts_->runtime.stop();
}

Result<std::unique_ptr<Daemon>> Daemon::start(config::Config config, config::Identity identity) {
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::make_unique<Parts>(std::move(config), std::move(identity))));
  Parts& parts = *daemon->parts_;
  Status status = parts.start_health().context("setting up Metrics");
  if (status) {
    status = parts.open_state();
  }
  if (status) {
    status = parts.start_cluster();
  }
  if (status) {
    status = parts.http_apis.start(parts.runtime.net(), parts.config, *parts.cluster);
  }
  if (!status) {
    daemon->stop();
    return fail(status.error());
  }
  parts.start_loops();
  return daemon;
}

std::optional<Error> Daemon::failure() const {
  const std::lock_guard lock(parts_->failure_mutex);
  return parts_->failure;
}

Status Daemon::reload(const config::Config& settings) {
  parts_->network->reload(settings);
  return parts_->http_apis.reload(settings);
}

bool Daemon::stop() {
  Parts& parts = *parts_;
  parts.health.set_stopping();
  parts.stop.request_stop();
  const bool in_time =
      wait_for(parts.runtime.net().get_executor(), Parts::shut_down(&parts), kStopLimit);
  if (!in_time) {
    return false;
  }
  if (parts.health_server) {
    parts.health_server->set_sources({});
    parts.health_server->stop();
  }
  parts.health.set_kubo(nullptr);
  parts.runtime.stop();
  if (parts.state.store) {
    if (const Status flushed = parts.state.store->flush(); !flushed) {
      log_warn(kComponent, "the log has what could not be flushed: {}", flushed.error().message());
    }
  }
  return true;
}

}  // namespace ica::cmd
