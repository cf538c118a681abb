#pragma once

#include <functional>
#include <memory>

#include "agent/cluster/cluster.h"
#include "agent/cluster/compactor.h"
#include "agent/cluster/trust.h"
#include "agent/cmd/runtime.h"
#include "agent/config/identity.h"
#include "agent/crdt/local_pinset.h"
#include "agent/ipfs/connector.h"
#include "agent/monitor/monitor.h"
#include "agent/p2p/bitswap.h"
#include "agent/p2p/gossip.h"
#include "agent/p2p/host.h"
#include "agent/rpc/server.h"

namespace ica::cmd {

// The peer's side of 9096: connections, gossip, blocks, the pinset's synchronisation, metrics of
// and for others, RPC. Everything given must outlive it until the runtime has stopped.
// Thread-safety: built, started and stopped by one thread; the rest from any thread.
class PeerNetwork {
 public:
  struct Needs {
    const config::Config& config;
    const config::Identity& identity;
    const Clock& clock;
    Runtime& runtime;
    store::Store& store;
    crdt::Replica& replica;
    crdt::LocalPinset& pinset;
    ipfs::Connector& connector;
    tracker::Tracker& tracker;
    monitor::Monitor& monitor;
    std::shared_ptr<cluster::Trust> trust;
    // The others gave up the history that this peer has, and it cannot follow: it has to end. With
    // the pins that only this peer has written.
    std::function<void(const crdt::Epoch&, const std::vector<Cid>&)> left_behind = {};
  };
  struct Stats {
    p2p::Gossip::Stats gossip;
    p2p::Bitswap::Stats bitswap;
    rpc::ServerStats rpc;
    size_t connected = 0;
  };

  // Nothing listens yet. Errors: a private key that cannot be read.
  static Result<std::unique_ptr<PeerNetwork>> create(Needs needs);
  ~PeerNetwork();
  PeerNetwork(const PeerNetwork&) = delete;
  PeerNetwork& operator=(const PeerNetwork&) = delete;

  cluster::PeerGroup& peers();
  cluster::Compactor& compactor();
  // Everything can answer before the first connection: what we announce must be served at once.
  Status start(cluster::Cluster& cluster);
  // A metric of ours, to the others.
  void publish(const api::Metric& metric);
  // New trusted peers and secrets; the rest of `config` is not looked at.
  void reload(const config::Config& config);
  // Ends calls, streams and connections, writes the peerstore file. Takes less than a second.
  Task<void> stop();
  Stats stats() const;
  // How the pinsets of peers of our kind stand.
  std::vector<crdt::PeerPinset> peer_pinsets() const;
  const p2p::Host& host() const;

 private:
  struct Impl;
  explicit PeerNetwork(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::cmd
