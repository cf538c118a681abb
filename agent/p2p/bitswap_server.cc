#include "agent/p2p/bitswap_impl.h"
#include "common/base/offload.h"

namespace ica::p2p {
namespace {

constexpr size_t kBatch = 64;  // lookups of one visit to the disk

using Found = std::vector<std::optional<Bytes>>;

// Reads until it has enough for a message; the rest of the CIDs has to come again.
struct ReadBlocks {
  std::shared_ptr<Bitswap::Impl> impl;
  std::vector<Cid> cids;

  Found operator()() const {
    Found found;
    size_t total = 0;
    for (const Cid& cid : cids) {
      if (total >= impl->options.message_bytes) {
        break;
      }
      found.push_back(impl->reader(cid));
      total += found.back() ? found.back()->size() : 0;
    }
    return found;
  }
};

}  // namespace

void Bitswap::Impl::forget_want(const PeerPtr& peer, const Cid& cid) {
  const auto it = peer->ledger.find(cid);
  if (it == peer->ledger.end()) {
    return;
  }
  if (it->second.waiting) {
    if (const auto w = waiting.find(cid); w != waiting.end()) {
      w->second.erase(peer->id);
      if (w->second.empty()) {
        waiting.erase(w);
      }
    }
    waiting_count.fetch_sub(1);
  }
  peer->ledger.erase(it);
}

void Bitswap::Impl::forget_ledger(const PeerPtr& peer) {
  while (!peer->ledger.empty()) {
    forget_want(peer, Cid(peer->ledger.begin()->first));
  }
  peer->pending.clear();
}

void Bitswap::Impl::enqueue(const PeerPtr& peer, const Cid& cid, Ledger& entry) {
  if (!entry.queued) {
    entry.queued = true;
    peer->pending.push_back(cid);
  }
}

void Bitswap::Impl::take_wants(const PeerPtr& peer, const BitswapMessage& message) {
  if (message.full) {
    forget_ledger(peer);
  }
  for (const WantEntry& want : message.wants) {
    if (want.cancel) {
      forget_want(peer, want.cid);
      continue;
    }
    counters.wants_in.fetch_add(1);
    auto it = peer->ledger.find(want.cid);
    if (it == peer->ledger.end()) {
      if (peer->ledger.size() >= options.max_ledger ||
          peer->pending.size() >= 2 * options.max_ledger) {
        if (want.send_dont_have && peer->presences.size() < options.max_ledger) {
          peer->presences.push_back({want.cid, false});
        }
        continue;
      }
      it = peer->ledger.try_emplace(want.cid).first;
      it->second.type = want.type;
    } else if (want.type == WantType::Block) {
      it->second.type = WantType::Block;  // never the other way round
    }
    it->second.send_dont_have = want.send_dont_have;
    enqueue(peer, want.cid, it->second);
  }
  if (!peer->presences.empty()) {
    flush(peer);
  }
  serve(peer);
}

void Bitswap::Impl::serve(const PeerPtr& peer) {
  if (!peer->serving && !peer->pending.empty() && !stopped()) {
    peer->serving = true;
    launch(run_server(shared_from_this(), peer), "bitswap server");
  }
}

void Bitswap::Impl::answer(const PeerPtr& peer, const Cid& cid, std::optional<Bytes> block) {
  const auto it = peer->ledger.find(cid);
  if (it == peer->ledger.end()) {
    return;  // cancelled meanwhile
  }
  Ledger& entry = it->second;
  if (!block) {
    if (entry.send_dont_have) {
      counters.refused.fetch_add(1);
      peer->presences.push_back({cid, false});
      entry.send_dont_have = false;  // said once
    }
    if (!entry.waiting) {
      entry.waiting = true;
      waiting[cid].insert(peer->id);
      waiting_count.fetch_add(1);
    }
    return;
  }
  if (entry.type == WantType::Have && block->size() > options.small_block) {
    peer->presences.push_back({cid, true});
  } else {
    counters.blocks_out.fetch_add(1);
    counters.bytes_out.fetch_add(block->size());
    peer->block_bytes += block->size();
    peer->blocks.push_back({cid_prefix(cid), *std::move(block)});
  }
  forget_want(peer, cid);
}

Task<void> Bitswap::Impl::run_server(Self self, PeerPtr peer) {
  while (peer->connected && !self->stopped() && !peer->pending.empty()) {
    if (peer->block_bytes >= self->options.queue_bytes ||
        peer->presences.size() >= self->options.max_ledger) {
      co_await peer->changed.wait(std::chrono::hours(1), self->stop.get_token());
      continue;
    }
    std::vector<Cid> batch;
    while (!peer->pending.empty() && batch.size() < kBatch) {
      const auto it = peer->ledger.find(peer->pending.front());
      if (it != peer->ledger.end() && it->second.queued) {
        it->second.queued = false;
        batch.push_back(std::move(peer->pending.front()));
      }
      peer->pending.pop_front();
    }
    if (batch.empty()) {
      continue;
    }
    // It may come while we look: then it is looked up again rather than missed.
    for (const Cid& cid : batch) {
      Ledger& entry = peer->ledger.find(cid)->second;
      if (!entry.waiting) {
        entry.waiting = true;
        self->waiting[cid].insert(peer->id);
        self->waiting_count.fetch_add(1);
      }
    }
    ReadBlocks read{self, batch};
    Found found = co_await run_on(self->disk, std::move(read));
    for (size_t i = found.size(); i < batch.size(); ++i) {
      const auto it = peer->ledger.find(batch[i]);
      if (it != peer->ledger.end()) {
        self->enqueue(peer, batch[i], it->second);
      }
    }
    for (size_t i = 0; i < found.size(); ++i) {
      self->answer(peer, batch[i], std::move(found[i]));
    }
    if (!peer->nothing_to_send()) {
      self->flush(peer);
    }
  }
  peer->serving = false;
}

void Bitswap::Impl::make_available(const std::vector<Cid>& cids) {
  for (const Cid& cid : cids) {
    const auto it = waiting.find(cid);
    if (it == waiting.end()) {
      continue;
    }
    for (const PeerId& id : it->second) {
      const auto p = peers.find(id);
      if (p == peers.end()) {
        continue;
      }
      const auto entry = p->second->ledger.find(cid);
      if (entry != p->second->ledger.end()) {
        enqueue(p->second, cid, entry->second);
        serve(p->second);
      }
    }
  }
}

}  // namespace ica::p2p
