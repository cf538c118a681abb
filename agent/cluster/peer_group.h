#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/cluster/brief_status.h"
#include "agent/ipfs/connector.h"
#include "common/api/peer.h"
#include "common/api/pin.h"
#include "common/api/status.h"
#include "common/base/asio.h"

namespace ica::cluster {

// Items in batches; an empty batch is the clean end.
template <typename T>
using Stream = ipfs::BatchStream<T>;
template <typename T>
using StreamPtr = std::unique_ptr<Stream<T>>;

// What one peer answers to a question about many CIDs. Only peers like us promise an order; about
// statuses of everything they answer in brief.
struct PinInfos {
  StreamPtr<api::PinInfo> items;
  bool sorted = false;                     // by CID bytes, ascending
  StreamPtr<BriefBatch> briefs = nullptr;  // sorted, one batch at a time, in place of `items`
};

// The other peers, as the use cases see them: one question to one peer. Every call ends by itself:
// at its deadline (`limit`, zero: as long as something arrives) or when stopped. Errors:
// PermissionDenied (the peer does not talk to us; it is left out), Unavailable, Timeout, Cancelled,
// or the peer's own words. Thread-safety: any thread.
class PeerGroup {
 public:
  virtual ~PeerGroup() = default;

  // What we listen on and announce, each with /p2p/<self>.
  virtual std::vector<Multiaddr> own_addresses() const = 0;
  // Where the other peers were seen, each with /p2p/<peer>.
  virtual std::vector<Multiaddr> known_addresses() const = 0;
  virtual std::map<std::string, api::Bandwidth> bandwidth() const = 0;
  // Connects to a peer and makes it a member; its identity as it sees itself.
  virtual Task<Result<api::Id>> join(PeerId peer, Duration limit, StopToken stop) = 0;

  virtual Task<Result<api::Id>> id(PeerId peer, Duration limit, StopToken stop) = 0;
  virtual Task<Result<std::vector<api::Id>>> peers(PeerId peer, Duration limit, StopToken stop) = 0;
  virtual Task<Result<std::vector<PeerId>>> swarm_peers(PeerId peer, Duration limit,
                                                        StopToken stop) = 0;
  virtual Task<Result<api::PinInfo>> status(PeerId peer, Cid cid, Duration limit,
                                            StopToken stop) = 0;
  virtual Task<Result<PinInfos>> status_all(PeerId peer, api::StatusFilter filter,
                                            StopToken stop) = 0;
  virtual Task<Result<api::PinInfo>> recover(PeerId peer, Cid cid, Duration limit,
                                             StopToken stop) = 0;
  virtual Task<Result<PinInfos>> recover_all(PeerId peer, StopToken stop) = 0;
  virtual Task<Result<api::RepoGc>> repo_gc(PeerId peer, StopToken stop) = 0;
  // Blocks into that peer's Kubo, as many as come, in one exchange. write() waits while the peer is
  // slower than we are; finish() is Ok when the peer has stored every block.
  virtual Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_stream(PeerId peer,
                                                                      StopToken stop) = 0;
  // The repository of that peer\'s Kubo.
  virtual Task<Result<ipfs::RepoStat>> repo_stat(PeerId peer, Duration limit, StopToken stop) = 0;
};

}  // namespace ica::cluster
