#include "agent/cmd/crdt_topic.h"

#include "agent/cmd/pinset_protocol.h"
#include "agent/crdt/delta.h"
#include "common/base/log.h"
#include "common/codec/base58.h"
#include "common/codec/multihash.h"
#include "common/crypto/hash.h"

namespace ica::cmd {

namespace {

// A change that was announced and announced again is not fresh any more.
constexpr SteadyTime::duration kFreshChange = std::chrono::seconds(3);

}  // namespace

std::string crdt_topic_name(std::string_view cluster_name) {
  return base58(encode_multihash(multicodec::kMd5, md5(cluster_name)));
}

CrdtTopic::CrdtTopic(std::string_view cluster_name, const crdt::Replica& replica,
                     std::shared_ptr<const cluster::Trust> trust)
    : name_(crdt_topic_name(cluster_name)), replica_(replica), trust_(std::move(trust)) {}

void CrdtTopic::join(p2p::Network& network, p2p::Gossip& gossip, p2p::Bitswap& bitswap,
                     crdt::SyncDriver& driver) {
  gossip_ = &gossip;
  bitswap_ = &bitswap;
  driver_ = &driver;
  p2p::Gossip::Topic hooks;
  hooks.validate = [trust = trust_](const p2p::GossipMessage&, const PeerId& author) {
    if (trust->trusts(author)) {
      return p2p::Verdict::Accept;
    }
    static LogLimiter limiter;
    if (limiter.allow(author.bytes())) {
      log_warn("crdt", "peer {} announced a pinset and is not trusted", author);
    }
    return p2p::Verdict::Reject;
  };
  hooks.deliver = [this, &network](Bytes data, const PeerId& author, const PeerId& from) {
    using Author = crdt::Synchronizer::Author;
    // Who announces can serve; a neighbour that passed it on can when the author is out of reach.
    const bool known = network.speaks(author, "/ipfs/bitswap/1.2.0");
    // Before a peer has said what it speaks it may well be of our kind, and what it announces
    // comes again.
    const bool foreign = known && !network.speaks(author, PinsetProtocol::kState);
    driver_->on_message(std::move(data), known ? author : from,
                        foreign ? Author::Foreign : Author::Ours);
  };
  hooks.subscribed = [this](const PeerId& peer) { driver_->on_peer_subscribed(peer); };
  gossip.subscribe(name_, std::move(hooks));
}

std::optional<Bytes> CrdtTopic::read(const Cid& cid) const {
  const auto hash = decode_multihash(cid.multihash());
  if (!hash || hash->code != multicodec::kSha2_256) {
    return std::nullopt;
  }
  // In this order: it leaves memory when it is on disk.
  if (auto fetched = fetched_.get(cid)) {
    return fetched;
  }
  auto block = replica_.block(hash->digest);
  if (!block) {
    static LogLimiter limiter;
    if (limiter.allow("read")) {
      log_error("crdt", "reading block {} for a peer: {}", cid, block.error().message());
    }
    return std::nullopt;
  }
  return *std::move(block);
}

Task<Result<Bytes>> CrdtTopic::fetch_in(CrdtTopic* self, Cid cid, PeerId first, StopToken stop) {
  auto block = co_await self->bitswap_->fetch(cid, std::move(first), std::move(stop));
  if (block) {
    self->fetched_.put(cid, *block);
    if (self->bitswap_->wanted()) {
      self->bitswap_->available(std::vector<Cid>(1, cid));
    }
  }
  co_return block;
}

Task<Result<Bytes>> CrdtTopic::fetch(Cid cid, PeerId first, StopToken stop) {
  return fetch_in(this, std::move(cid), std::move(first), std::move(stop));
}

void CrdtTopic::settled(const std::vector<Bytes>& digests) {
  for (const Bytes& digest : digests) {
    fetched_.erase(crdt::block_cid(digest));
  }
}

void CrdtTopic::broadcast(Bytes message) {
  if (const Status sent = gossip_->publish(name_, std::move(message)); !sent) {
    log_debug("crdt", "an announcement was not sent: {}", sent.error().message());
  }
}

bool CrdtTopic::announce_last() {
  const auto since =
      std::chrono::steady_clock::now().time_since_epoch().count() - last_change_.load();
  if (last_change_.load() == 0 || SteadyTime::duration(since) > kFreshChange) {
    return false;
  }
  broadcast(crdt::encode_broadcast(replica_.heads(), crdt::announced_history(replica_.epoch())));
  return true;
}

void CrdtTopic::on_local_nodes(const std::vector<Bytes>& digests) {
  last_change_.store(std::chrono::steady_clock::now().time_since_epoch().count());
  if (bitswap_->wanted()) {
    std::vector<Cid> cids;
    for (const Bytes& digest : digests) {
      cids.push_back(crdt::block_cid(digest));
    }
    bitswap_->available(std::move(cids));
  }
  driver_->on_local_nodes(digests);
}

void CrdtTopic::Fetched::put(const Cid& cid, const Bytes& block) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = blocks_.try_emplace(cid, Block{block, next_});
  if (!fresh) {
    return;
  }
  oldest_.emplace(next_++, at);
  bytes_ += block.size();
  while (bytes_ > kMaxBytes && blocks_.size() > 1) {
    erase(oldest_.begin()->second);
  }
}

void CrdtTopic::Fetched::erase(Blocks::iterator block) {
  bytes_ -= block->second.data.size();
  oldest_.erase(block->second.number);
  blocks_.erase(block);
}

void CrdtTopic::Fetched::erase(const Cid& cid) {
  const std::lock_guard lock(mutex_);
  if (const auto found = blocks_.find(cid); found != blocks_.end()) {
    erase(found);
  }
}

size_t CrdtTopic::Fetched::size() const {
  const std::lock_guard lock(mutex_);
  return blocks_.size();
}

std::optional<Bytes> CrdtTopic::Fetched::get(const Cid& cid) const {
  const std::lock_guard lock(mutex_);
  const auto it = blocks_.find(cid);
  return it == blocks_.end() ? std::nullopt : std::optional<Bytes>(it->second.data);
}

}  // namespace ica::cmd
