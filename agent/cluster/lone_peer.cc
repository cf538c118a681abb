#include "agent/cluster/peer_group.h"
#include "agent/p2p/listen_addresses.h"

namespace ica::cluster {
namespace {

tl::unexpected<Error> unknown(const PeerId& peer) {
  return fail(Code::Unavailable, "failed to dial {}: this peer has no connection to other peers",
              peer);
}

}  // namespace

LonePeer::LonePeer(const PeerId& self, const std::vector<Multiaddr>& listen) {
  const std::string suffix = "/p2p/" + self.text();
  for (const Multiaddr& address : p2p::concrete_addresses(listen)) {
    if (auto parsed = Multiaddr::parse(address.text() + suffix)) {
      addresses_.push_back(std::move(*parsed));
    }
  }
}

Task<Result<api::Id>> LonePeer::join(PeerId, Duration, StopToken) {
  co_return fail(Code::Unavailable, "failed to find any peer in table");
}
Task<Result<api::Id>> LonePeer::id(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<std::vector<api::Id>>> LonePeer::peers(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<std::vector<PeerId>>> LonePeer::swarm_peers(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::PinInfo>> LonePeer::status(PeerId peer, Cid, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<PinInfos>> LonePeer::status_all(PeerId peer, api::StatusFilter, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::PinInfo>> LonePeer::recover(PeerId peer, Cid, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<PinInfos>> LonePeer::recover_all(PeerId peer, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::RepoGc>> LonePeer::repo_gc(PeerId peer, StopToken) {
  co_return unknown(peer);
}
Task<Result<std::unique_ptr<ipfs::BlockSink>>> LonePeer::block_stream(PeerId peer, StopToken) {
  co_return unknown(peer);
}

}  // namespace ica::cluster
