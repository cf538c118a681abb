#include "agent/cmd/peer_state.h"

#include "agent/cmd/recover.h"
#include "agent/cmd/set_aside.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

crdt::PinsetOptions pinset_options(const config::Batching& batching) {
  return {.max_queue_size = static_cast<size_t>(batching.max_queue_size),
          .max_batch_size = static_cast<size_t>(batching.max_batch_size),
          .max_batch_age = batching.max_batch_age};
}

ipfs::HttpConnectorOptions connector_options(const config::IpfsHttp& settings) {
  ipfs::HttpConnectorOptions options;
  options.node = settings.node_multiaddress;
  options.request_timeout = settings.ipfs_request_timeout;
  options.pin_timeout = settings.pin_timeout;
  options.unpin_timeout = settings.unpin_timeout;
  options.repogc_timeout = settings.repogc_timeout;
  options.unpin_disable = settings.unpin_disable;
  options.pool_size = static_cast<size_t>(settings.pool_size);
  return options;
}

tracker::PinTrackerOptions tracker_options(const config::Config& config, const PeerId& self) {
  tracker::PinTrackerOptions options;
  options.self = self;
  options.concurrent_pins = config.tracker.concurrent_pins;
  options.retry.priority_max_age = config.tracker.priority_pin_max_age;
  options.retry.priority_max_retries =
      static_cast<uint32_t>(config.tracker.priority_pin_max_retries);
  options.retry.max_delay = config.cluster.pin_recover_interval;
  options.surplus_delay = config.agent.surplus_delay;
  return options;
}

}  // namespace

Status PeerState::open(const std::filesystem::path& folder, const config::Config& config,
                       const PeerId& self, Runtime& runtime, const Clock& clock) {
  TRY_VOID(set_aside_if_left_behind(folder, config, self).context("creating datastore"));
  store::Options options;
  options.path = folder;
  options.memory_budget = config.agent.memory_budget;
  auto opened = store::Store::open(options);
  if (!opened && store::is_incomplete(opened.error())) {
    log_warn("service", "{}", opened.error().message());
    TRY_VOID(rebuild_database(folder, config, self).context("creating datastore"));
    opened = store::Store::open(options);
  }
  TRY(store, std::move(opened).context("creating datastore"));
  TRY(replica, crdt::Replica::open(*store).context("setting up Consensus"));
  pinset = std::make_unique<crdt::LocalPinset>(*replica, runtime.state(),
                                               pinset_options(config.crdt.batching));
  const Executor net = runtime.net().get_executor();
  TRY(connector, ipfs::HttpConnector::create(connector_options(config.ipfs_http), net)
                     .context("creating IPFS Connector component"));
  TRY(tracker,
      tracker::PinTracker::open(tracker_options(config, self),
                                {.state = runtime.state(), .net = net, .disk = runtime.disk()},
                                *store, *pinset, connector, clock)
          .context("creating PinTracker"));
  pinset->observe(*tracker);
  if (config.agent.max_events > 0) {
    TRY(events,
        cluster::EventLog::open(*store, clock, static_cast<uint64_t>(config.agent.max_events)));
    pinset->observe(*events);
  }
  return {};
}

}  // namespace ica::cmd
