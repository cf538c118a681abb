#include "agent/p2p/bitswap.h"

#include <algorithm>

#include "agent/p2p/bitswap_impl.h"
#include "agent/p2p/frames.h"

namespace ica::p2p {

void Bitswap::Impl::launch(Task<void> task, const char* what) {
  running.fetch_add(1);
  spawn(strand, counted(shared_from_this(), std::move(task)), what);
}

Task<void> Bitswap::Impl::counted(Self self, Task<void> task) {
  co_await std::move(task);
  self->running.fetch_sub(1);
}

Bitswap::Impl::PeerPtr Bitswap::Impl::peer_of(const PeerId& id) {
  auto& peer = peers[id];
  if (!peer) {
    peer = std::make_shared<Peer>(id, strand);
  }
  return peer;
}

void Bitswap::Impl::on_disconnected(const PeerId& id) {
  refuse_all(id);
  const auto it = peers.find(id);
  if (it == peers.end()) {
    return;
  }
  const PeerPtr peer = it->second;
  peers.erase(it);
  forget_ledger(peer);
  peer->connected = false;
  reset_on_stream(peer->out);
  peer->changed.notify_all();
}

void Bitswap::Impl::take_block(const PeerId& from, const Cid& cid, Bytes data) {
  counters.blocks_in.fetch_add(1);
  counters.bytes_in.fetch_add(data.size());
  const auto it = wants.find(cid);
  if (it == wants.end() || it->second->block || !it->second->asked.contains(from)) {
    counters.unwanted.fetch_add(1);
    return;
  }
  Want& want = *it->second;
  want.block = std::move(data);
  want.server = from;
  want.changed.notify_all();
}

void Bitswap::Impl::refuse(const PeerId& from, const Cid& cid) {
  const auto it = wants.find(cid);
  if (it != wants.end() && it->second->asked.contains(from) &&
      it->second->refused.insert(from).second) {
    it->second->changed.notify_all();
  }
}

// It went away, or cannot be reached.
void Bitswap::Impl::refuse_all(const PeerId& from) {
  for (const auto& [cid, want] : wants) {
    if (want->asked.contains(from) && want->refused.insert(from).second) {
      want->changed.notify_all();
    }
  }
}

std::optional<PeerId> Bitswap::Impl::choose(const Want& want, const PeerId& first) {
  std::vector<PeerId> candidates;
  for (PeerId& id : network.connected_peers()) {
    if (!want.asked.contains(id) && network.speaks(id, kBitswap12)) {
      candidates.push_back(std::move(id));
    }
  }
  if (candidates.empty()) {
    return std::nullopt;
  }
  if (std::find(candidates.begin(), candidates.end(), first) != candidates.end()) {
    return first;
  }
  return candidates[turn++ % candidates.size()];
}

void Bitswap::Impl::finish(const Cid& cid, const WantPtr& want) {
  if (--want->fetches > 0) {
    return;
  }
  wants.erase(cid);
  // Whoever was asked keeps it in mind until it hears that it is settled.
  for (const PeerId& id : want->asked) {
    const auto it = peers.find(id);
    if (id == want->server || it == peers.end()) {
      continue;
    }
    WantEntry entry;
    entry.cid = cid;
    entry.cancel = true;
    entry.priority = 0;
    it->second->wants.push_back(std::move(entry));
    flush(it->second);
  }
}

Task<Result<Bytes>> Bitswap::Impl::run_fetch(Self self, Cid cid, PeerId first, StopToken stop) {
  WantPtr& slot = self->wants[cid];
  if (!slot) {
    slot = std::make_shared<Want>(self->strand);
  }
  const WantPtr want = slot;
  ++want->fetches;
  const SteadyTime start = std::chrono::steady_clock::now();
  const SteadyTime deadline =
      start + std::chrono::duration_cast<SteadyTime::duration>(self->options.fetch_limit);
  Error error(Code::Unavailable, "no connected peer has the block");
  bool asked_all = false;
  while (!want->block) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (stop.stop_requested() || self->stopped()) {
      error = Error(Code::Cancelled, "cancelled");
      break;
    }
    if (now >= deadline) {
      error = Error(Code::Timeout, "no peer sent the block in time");
      break;
    }
    const auto peer = self->choose(*want, first);
    if (peer) {
      want->asked.insert(*peer);
      WantEntry entry;
      entry.cid = cid;
      entry.send_dont_have = true;
      const PeerPtr to = self->peer_of(*peer);
      to->wants.push_back(std::move(entry));
      self->flush(to);
    } else if (want->refused.size() >= want->asked.size()) {
      // Everybody has refused. One that is still fetching it itself sends it when it has it.
      if (asked_all || want->asked.empty()) {
        break;
      }
      asked_all = true;
    }
    const size_t refusals = want->refused.size();
    const SteadyTime until = std::min(
        deadline, now + std::chrono::duration_cast<SteadyTime::duration>(self->options.ask_limit));
    bool waits = true;
    while (waits && !want->block && !stop.stop_requested() && !self->stopped()) {
      const auto left = until - std::chrono::steady_clock::now();
      if (left.count() <= 0) {
        break;
      }
      co_await want->changed.wait(left, stop);
      // A refusal is a reason to ask the next one at once.
      waits = asked_all || want->refused.size() == refusals;
    }
  }
  Result<Bytes> result = fail(error);
  if (want->block) {
    result = want->fetches > 1 ? Bytes(*want->block) : std::move(*want->block);
    self->counters.fetched.fetch_add(1);
  } else if (error.code() != Code::Cancelled) {
    self->counters.failed.fetch_add(1);
  }
  self->finish(cid, want);
  co_return result;
}

Task<void> Bitswap::Impl::end_all(Self self) {
  self->stop.request_stop();
  for (const StreamPtr& stream : self->inbound) {
    reset_on_stream(stream);
  }
  for (const auto& [id, peer] : self->peers) {
    reset_on_stream(peer->out);
    peer->changed.notify_all();
  }
  for (const auto& [cid, want] : self->wants) {
    want->changed.notify_all();
  }
  co_return;
}

Task<void> Bitswap::Impl::wait_all(Self self) {
  co_await asio::co_spawn(self->strand, end_all(self), asio::use_awaitable);
  while (self->running.load() > 0) {
    const Status slept = co_await sleep_for(std::chrono::milliseconds(2));
    (void)slept;
  }
}

namespace {

Task<Result<Bytes>> fetch_counted(std::shared_ptr<Bitswap::Impl> impl, Cid cid, PeerId first,
                                  StopToken stop) {
  impl->running.fetch_add(1);
  auto result = co_await asio::co_spawn(
      impl->strand,
      Bitswap::Impl::run_fetch(impl, std::move(cid), std::move(first), std::move(stop)),
      asio::use_awaitable);
  impl->running.fetch_sub(1);
  co_return result;
}

}  // namespace

Bitswap::Bitswap(Network& net, BlockReader reader, Executor network, Executor disk, Options options)
    : impl_(std::make_shared<Impl>(net, std::move(reader), network, std::move(disk), options)) {}

Bitswap::~Bitswap() {
  impl_->stop.request_stop();
}

void Bitswap::start() {
  const std::weak_ptr<Impl> weak = impl_;
  impl_->network.handle(std::string(kBitswap12),
                        [weak](StreamPtr stream) { return Impl::accept(weak, std::move(stream)); });
  PeerEvents events;
  events.disconnected = [weak](const PeerId& peer) {
    if (const auto impl = weak.lock()) {
      asio::post(impl->strand, [impl, peer] { impl->on_disconnected(peer); });
    }
  };
  impl_->network.subscribe(std::move(events));
}

Task<Result<Bytes>> Bitswap::fetch(Cid cid, PeerId first, StopToken stop) {
  return fetch_counted(impl_, std::move(cid), std::move(first), std::move(stop));
}

void Bitswap::available(std::vector<Cid> cids) {
  if (wanted()) {
    asio::post(impl_->strand,
               [impl = impl_, cids = std::move(cids)] { impl->make_available(cids); });
  }
}

bool Bitswap::wanted() const {
  return impl_->waiting_count.load() > 0;
}

Task<void> Bitswap::stop() {
  return Impl::wait_all(impl_);
}

Bitswap::Stats Bitswap::stats() const {
  const auto& c = impl_->counters;
  return {.fetched = c.fetched.load(),
          .failed = c.failed.load(),
          .blocks_in = c.blocks_in.load(),
          .bytes_in = c.bytes_in.load(),
          .unwanted = c.unwanted.load(),
          .malformed = c.malformed.load(),
          .wants_in = c.wants_in.load(),
          .blocks_out = c.blocks_out.load(),
          .bytes_out = c.bytes_out.load(),
          .refused = c.refused.load(),
          .waiting = impl_->waiting_count.load()};
}

}  // namespace ica::p2p
