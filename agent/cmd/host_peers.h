#pragma once

#include "agent/cluster/peer_group.h"
#include "agent/p2p/host.h"

namespace ica::cmd {

// The other peers: addresses and traffic as the host knows them, questions through `calls`.
class HostPeers final : public cluster::PeerGroup {
 public:
  HostPeers(const p2p::Host& host, cluster::PeerGroup& calls) : host_(host), calls_(calls) {}

  std::vector<Multiaddr> own_addresses() const override { return host_.own_addresses(); }
  std::vector<Multiaddr> known_addresses() const override { return host_.known_addresses(); }
  std::map<std::string, api::Bandwidth> bandwidth() const override;

  Task<Result<api::Id>> join(PeerId peer, Duration limit, StopToken stop) override {
    return calls_.join(std::move(peer), limit, std::move(stop));
  }
  Task<Result<api::Id>> id(PeerId peer, Duration limit, StopToken stop) override {
    return calls_.id(std::move(peer), limit, std::move(stop));
  }
  Task<Result<std::vector<api::Id>>> peers(PeerId peer, Duration limit, StopToken stop) override {
    return calls_.peers(std::move(peer), limit, std::move(stop));
  }
  Task<Result<std::vector<PeerId>>> swarm_peers(PeerId peer, Duration limit,
                                                StopToken stop) override {
    return calls_.swarm_peers(std::move(peer), limit, std::move(stop));
  }
  Task<Result<api::PinInfo>> status(PeerId peer, Cid cid, Duration limit, StopToken stop) override {
    return calls_.status(std::move(peer), std::move(cid), limit, std::move(stop));
  }
  Task<Result<cluster::PinInfos>> status_all(PeerId peer, api::StatusFilter filter,
                                             StopToken stop) override {
    return calls_.status_all(std::move(peer), filter, std::move(stop));
  }
  Task<Result<api::PinInfo>> recover(PeerId peer, Cid cid, Duration limit,
                                     StopToken stop) override {
    return calls_.recover(std::move(peer), std::move(cid), limit, std::move(stop));
  }
  Task<Result<cluster::PinInfos>> recover_all(PeerId peer, StopToken stop) override {
    return calls_.recover_all(std::move(peer), std::move(stop));
  }
  Task<Result<api::RepoGc>> repo_gc(PeerId peer, StopToken stop) override {
    return calls_.repo_gc(std::move(peer), std::move(stop));
  }
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_stream(PeerId peer,
                                                              StopToken stop) override {
    return calls_.block_stream(std::move(peer), std::move(stop));
  }

 private:
  const p2p::Host& host_;
  cluster::PeerGroup& calls_;
};

}  // namespace ica::cmd
