#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "agent/cluster/trust.h"
#include "agent/crdt/sync_driver.h"
#include "agent/p2p/bitswap.h"
#include "agent/p2p/gossip.h"
#include "common/base/clock.h"

namespace ica::cmd {

// The topic on which the peers of a cluster announce the heads of their pinset: base58btc of the
// MD5 multihash of the cluster's name.
std::string crdt_topic_name(std::string_view cluster_name);

// The pinset's view of the network: blocks come by bitswap, announcements by gossip, and what we
// announce is served from the replica. Thread-safety: any thread after join().
class CrdtTopic final : public crdt::BlockSource, public crdt::Broadcaster, public crdt::NodeSink {
 public:
  CrdtTopic(std::string_view cluster_name, const crdt::Replica& replica,
            std::shared_ptr<const cluster::Trust> trust);

  // Before any of them is started.
  void join(p2p::Network& network, p2p::Gossip& gossip, p2p::Bitswap& bitswap,
            crdt::SyncDriver& driver);

  // A block that we can serve: of the replica, or fetched a moment ago and about to be merged.
  std::optional<Bytes> read(const Cid& cid) const;

  // Blocks that are in memory until they are merged.
  size_t unmerged() const { return fetched_.size(); }

  // Announces the present heads once more if a change of ours is so new that others may not have
  // heard of it; true when it did. For the moment before this peer leaves.
  bool announce_last();

  Task<Result<Bytes>> fetch(Cid cid, PeerId first, StopToken stop) override;
  void settled(const std::vector<Bytes>& digests) override;
  void broadcast(Bytes message) override;
  void on_local_nodes(const std::vector<Bytes>& digests) override;

 private:
  // Blocks between their arrival and their merge, so that a peer that asked us meanwhile does not
  // wait. Those that are never merged leave as the oldest. Thread-safety: any thread.
  class Fetched {
   public:
    void put(const Cid& cid, const Bytes& block);
    std::optional<Bytes> get(const Cid& cid) const;
    void erase(const Cid& cid);
    size_t size() const;

   private:
    struct Block {
      Bytes data;
      uint64_t number;  // in the order of their arrival
    };
    using Blocks = std::map<Cid, Block>;
    void erase(Blocks::iterator block);

    static constexpr size_t kMaxBytes = 4 << 20;
    mutable std::mutex mutex_;
    Blocks blocks_;
    std::map<uint64_t, Blocks::iterator> oldest_;
    uint64_t next_ = 0;
    size_t bytes_ = 0;
  };
  static Task<Result<Bytes>> fetch_in(CrdtTopic* self, Cid cid, PeerId first, StopToken stop);

  const std::string name_;
  const crdt::Replica& replica_;
  const std::shared_ptr<const cluster::Trust> trust_;
  Fetched fetched_;
  std::atomic<SteadyTime::rep> last_change_{0};
  p2p::Gossip* gossip_ = nullptr;
  p2p::Bitswap* bitswap_ = nullptr;
  crdt::SyncDriver* driver_ = nullptr;
};

}  // namespace ica::cmd
