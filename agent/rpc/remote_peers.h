#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/cluster/peer_group.h"
#include "agent/monitor/monitor.h"
#include "agent/p2p/stream.h"

namespace ica::rpc {

struct ClientOptions {
  size_t max_calls =
      64;  // at once; further ones wait. Calls that answer with a stream do not count
  // A stream of answers that brings nothing for so long has failed.
  Duration stall_limit = std::chrono::minutes(5);
  Duration dial_limit = std::chrono::seconds(15);
  size_t max_answer = 1 << 20;           // bytes of one answer
  size_t max_garbage_answer = 32 << 20;  // bytes of the answer that lists a garbage collection
  size_t max_peers = 10000;              // that one peer may list
};

// The other peers of the cluster over gorpc. Errors: as PeerGroup says; what cannot be dialled and
// what a peer answered has its own words. A peer that speaks no RPC protocol of ours is left out
// (PermissionDenied) and logged once an hour. Memory: one batch of answers a stream.
// Thread-safety: any thread; coroutines go on where they were called.
class RemotePeers final : public cluster::PeerGroup {
 public:
  // Both must outlive the calls. `bandwidth` gives the traffic by protocol and may be empty.
  RemotePeers(p2p::Network& network, monitor::Monitor& monitor,
              std::function<std::map<std::string, api::Bandwidth>()> bandwidth,
              ClientOptions options = {});
  ~RemotePeers() override;

  std::vector<Multiaddr> own_addresses() const override;
  // Of all members but ourselves.
  std::vector<Multiaddr> known_addresses() const override;
  std::map<std::string, api::Bandwidth> bandwidth() const override;
  Task<Result<api::Id>> join(PeerId peer, Duration limit, StopToken stop) override;

  Task<Result<api::Id>> id(PeerId peer, Duration limit, StopToken stop) override;
  Task<Result<std::vector<api::Id>>> peers(PeerId peer, Duration limit, StopToken stop) override;
  Task<Result<std::vector<PeerId>>> swarm_peers(PeerId peer, Duration limit,
                                                StopToken stop) override;
  Task<Result<api::PinInfo>> status(PeerId peer, Cid cid, Duration limit, StopToken stop) override;
  // Sorted when the peer is one of our kind.
  Task<Result<cluster::PinInfos>> status_all(PeerId peer, api::StatusFilter filter,
                                             StopToken stop) override;
  Task<Result<api::PinInfo>> recover(PeerId peer, Cid cid, Duration limit, StopToken stop) override;
  Task<Result<cluster::PinInfos>> recover_all(PeerId peer, StopToken stop) override;
  Task<Result<ipfs::RepoStat>> repo_stat(PeerId peer, Duration limit, StopToken stop) override;
  Task<Result<api::RepoGc>> repo_gc(PeerId peer, StopToken stop) override;
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_stream(PeerId peer, StopToken stop) override;

  struct Impl;  // shared with the calls

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace ica::rpc
