#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "agent/cluster/peer_group.h"
#include "agent/ipfs/connector.h"
#include "common/base/async.h"

namespace ica::cmd {

// Keeps our Kubo connected with the Kubos of the other peers, so that content moves directly: soon
// after a peer is met, and again when the connection between the two is gone, as after a restart of
// either. Of two peers one dials and the other lets it do so for a few seconds, so that their Kubos
// are not connected twice. Costs one call to
// Kubo a period, and a call to a peer whose Kubo ours does not know. Thread-safety: none; lives on
// `strand`.
class KuboSwarm {
 public:
  struct Parts {
    PeerId self;
    cluster::PeerGroup& peers;
    ipfs::Connector& connector;
    std::function<std::vector<PeerId>()> near;  // the peers that are connected to us
    std::function<void()> linked;               // ours has met a Kubo that it did not know
  };
  // `period`: how often lost connections are looked for; zero: nothing is done at all.
  KuboSwarm(Parts parts, Duration period, const Executor& strand);

  void met(const PeerId& peer);
  // Until stopped. The object outlives it.
  static Task<void> run(KuboSwarm* self, StopToken stop);

 private:
  // Each false when something is to be tried again soon.
  static Task<bool> connect_all(KuboSwarm* self, StopToken stop);
  void connected(const PeerId& peer, const PeerId& kubo);
  static Task<bool> connect_one(KuboSwarm* self, PeerId peer, const std::set<PeerId>* swarm,
                                StopToken stop);

  const Parts parts_;
  const Duration period_;
  std::map<PeerId, PeerId> kubos_;      // of the peers that we know; empty for who does not tell
  std::map<PeerId, int> left_to_them_;  // rounds in which we did not dial
  std::set<PeerId> linked_;             // Kubos of theirs that ours was connected with
  Event met_;
};

}  // namespace ica::cmd
