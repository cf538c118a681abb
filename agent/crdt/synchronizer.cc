#include "agent/crdt/synchronizer.h"

#include <algorithm>

#include "common/base/log.h"

namespace ica::crdt {

namespace {

constexpr auto kHousekeeping = std::chrono::seconds(30);
constexpr size_t kHeadsPerMessage = 1000;
constexpr size_t kMakeRoom = 1024;
// A stream that brings nothing for so long holds up the ordinary way no more.
constexpr auto kStreamPatience = std::chrono::seconds(2);
constexpr auto kStreamPause = std::chrono::seconds(60);
// Nodes of a stream that we had already: the sender knows our heads too badly.
constexpr size_t kMaxUseless = 256;
constexpr uint64_t kStreamBytes = 16 << 20;

}  // namespace

Synchronizer::Synchronizer(Replica& replica, Options options, uint64_t seed, SteadyTime now)
    : replica_(replica),
      options_(std::move(options)),
      announcer_(options_.announcer, seed, now),
      fetcher_(options_.fetcher),
      housekeeping_at_(now) {
  // After a start nobody may know what was written just before the stop.
  if (!replica_.heads().empty()) {
    announcer_.changed(now);
  }
}

void Synchronizer::take(const MergeOutcome& outcome, const PeerId& from, SteadyTime now) {
  for (const auto& digest : outcome.settled) {
    fetcher_.settled(digest);
  }
  for (const auto& digest : outcome.wanted) {
    // Some of the new work may have been settled in the same commit.
    if (std::find(outcome.settled.begin(), outcome.settled.end(), digest) ==
        outcome.settled.end()) {
      fetcher_.want(digest, from, now);
    }
  }
}

Result<Synchronizer::Side> Synchronizer::compare(const Epoch& theirs) {
  const Epoch own = replica_.epoch();
  if (theirs.same_history(own)) {
    return Side::Same;
  }
  if (!theirs.newer_than(own)) {
    return Side::Ahead;
  }
  // A newcomer takes the history that it finds, also when it has heard of it through a Go peer.
  const PinsetInfo info = replica_.info();
  bool ours = info.blocks == 0 && info.work == 0;
  if (!ours && !theirs.base.empty()) {
    TRY(ours, replica_.merged(theirs.base));
  }
  if (!ours) {
    return Side::Behind;
  }
  TRY_VOID(replica_.set_epoch(theirs));
  return Side::Same;
}

Result<bool> Synchronizer::falls_behind(const Epoch& theirs) {
  TRY(const Side side, compare(theirs));
  return side == Side::Behind;
}

Result<std::optional<Epoch>> Synchronizer::on_announcement(BytesView message, const PeerId& from,
                                                           SteadyTime now, Author author) {
  TRY(const auto announcement, decode_broadcast(message));
  const auto& heads = announcement.heads;
  if (!announcement.history.empty() || author == Author::Ours) {
    TRY(const Epoch theirs, decode_epoch(announcement.history));
    TRY(const Side side, compare(theirs));
    if (side == Side::Behind) {
      return std::optional<Epoch>(theirs);
    }
    if (side == Side::Ahead) {
      return std::optional<Epoch>();
    }
  }
  announcer_.heard(heads);
  if (replica_.following() + heads.size() > Transaction::kMaxGroups) {
    // Heads that were asked for in vain make room for new ones. When they are announced again they
    // come back.
    TRY(const auto dropped, replica_.drop(fetcher_.failing(kMakeRoom)));
    take(dropped, {}, now);
  }
  TRY(const auto outcome, replica_.receive_heads(heads));
  if (!outcome.wanted.empty() && !stream_.running) {
    stream_.peer = from;
  }
  for (const auto& digest : outcome.wanted) {
    fetcher_.want(digest, from, now, /*urgent=*/true);
  }
  for (const auto& head : heads) {
    if (fetcher_.knows(head)) {
      fetcher_.want(head, from, now);
    }
  }
  return std::optional<Epoch>();
}

// Asks for the links of a block before it is merged, so that a long chain costs one round trip and
// not one round trip and one commit per node.
Status Synchronizer::prefetch(BytesView block, const PeerId& from, SteadyTime now) {
  const auto node = decode_node(block);
  if (!node) {
    return {};  // merge() says it
  }
  bool deeper = false;
  for (const auto& link : node->links) {
    if (fetcher_.knows(link)) {
      continue;
    }
    TRY(const bool merged, replica_.merged(link));
    if (!merged) {
      fetcher_.want(link, from, now);
      deeper = true;
    }
  }
  depth_ += deeper ? 1 : 0;
  return {};
}

Result<bool> Synchronizer::on_block(const Bytes& digest, std::optional<Bytes> block,
                                    const PeerId& from, SteadyTime now) {
  if (!block || block_digest(*block) != digest) {
    fetcher_.failed(digest, now);
    return false;
  }
  if (!fetcher_.knows(digest)) {
    return false;
  }
  fetcher_.arrived(digest);
  TRY_VOID(prefetch(*block, from, now));
  keep(digest, *std::move(block), from);
  return true;
}

void Synchronizer::keep(const Bytes& digest, Bytes block, const PeerId& from) {
  arrived_bytes_ += block.size();
  arrived_.push_back({{digest, std::move(block)}, from});
}

Result<bool> Synchronizer::on_history_block(Bytes block, SteadyTime now) {
  const Bytes digest = block_digest(block);
  if (!fetcher_.waits_for(digest)) {
    return ++stream_.useless <= kMaxUseless;
  }
  ++stream_.taken;
  fetcher_.hold(now + kStreamPatience);
  fetcher_.arrived(digest);
  TRY_VOID(prefetch(block, stream_.peer, now));
  keep(digest, std::move(block), stream_.peer);
  return true;
}

void Synchronizer::on_history_end(const Status& outcome, SteadyTime now) {
  if (!outcome || stream_.taken == 0) {
    stream_.not_before = now + kStreamPause;
  }
  log_debug("crdt", "a history of {} nodes from {}{}", stream_.taken, stream_.peer,
            outcome ? "" : ", then: " + outcome.error().message());
  stream_.running = false;
  fetcher_.hold(now);
}

std::optional<Synchronizer::HistoryAction> Synchronizer::history(SteadyTime now) {
  if (stream_.running || !streams_ || now < stream_.not_before || stream_.peer.empty() || full() ||
      (depth_ < options_.stream_after && replica_.info().blocks > 0)) {
    return std::nullopt;
  }
  HistoryAction action;
  action.request.want = fetcher_.outstanding(HistoryRequest::kMaxDigests);
  if (action.request.want.empty() || !streams_(stream_.peer)) {
    return std::nullopt;
  }
  action.request.have = replica_.heads();
  if (action.request.have.size() > HistoryRequest::kMaxDigests) {
    action.request.have.resize(HistoryRequest::kMaxDigests);
  }
  action.request.max_bytes = kStreamBytes;
  action.peer = stream_.peer;
  stream_.running = true;
  stream_.taken = 0;
  stream_.useless = 0;
  fetcher_.hold(now + kStreamPatience);
  return action;
}

void Synchronizer::on_local(const std::vector<Bytes>& digests, SteadyTime now) {
  for (const auto& digest : digests) {
    fetcher_.settled(digest);
  }
  announcer_.changed(now);
}

void Synchronizer::on_new_history(SteadyTime now) {
  fetcher_.settle_all();
  arrived_.clear();
  arrived_bytes_ = 0;
  depth_ = 0;
  refill_after_.clear();
  announcer_.changed(now);
}

void Synchronizer::on_peer(SteadyTime now) {
  fetcher_.retry_all(now);
  announcer_.changed(now);
}

Result<std::vector<Bytes>> Synchronizer::merge_some(SteadyTime now) {
  std::vector<Bytes> merged;
  if (arrived_.empty()) {
    return merged;
  }
  std::vector<Fetched> blocks;
  size_t bytes = 0;
  const PeerId from = arrived_.front().from;
  for (const auto& arrived : arrived_) {
    if (blocks.size() >= options_.max_commit_blocks ||
        (!blocks.empty() && bytes + arrived.fetched.block.size() > options_.max_commit_bytes)) {
      break;
    }
    bytes += arrived.fetched.block.size();
    blocks.push_back(arrived.fetched);
  }
  TRY(const auto outcome, replica_.merge(blocks));
  take(outcome, from, now);
  for (size_t i = 0; i < blocks.size(); ++i) {
    arrived_bytes_ -= arrived_.front().fetched.block.size();
    // Not wanted any more: settled by somebody else, or given up meanwhile.
    fetcher_.settled(arrived_.front().fetched.digest);
    merged.push_back(std::move(arrived_.front().fetched.digest));
    arrived_.pop_front();
  }
  return merged;
}

// Brings work into memory that is only in the store: after a start, or when the window overflowed.
Status Synchronizer::refill(SteadyTime now) {
  if (replica_.info().work <= fetcher_.size()) {
    return {};
  }
  fetcher_.rotate();
  const size_t room = options_.fetcher.window - std::min(options_.fetcher.window, fetcher_.size());
  if (room == 0) {
    return {};
  }
  TRY(auto more, replica_.work(refill_after_, room));
  refill_after_ = more.size() < room ? Bytes() : more.back();
  for (const auto& digest : more) {
    fetcher_.want(digest, {}, now);
  }
  return {};
}

Result<Synchronizer::Actions> Synchronizer::poll(SteadyTime now) {
  Actions actions;
  const bool drained = fetcher_.size() == 0 && replica_.info().work > 0;
  if (housekeeping_at_ <= now || drained) {
    housekeeping_at_ = now + kHousekeeping;
    if (const auto hopeless = fetcher_.hopeless(now); !hopeless.empty()) {
      TRY(const auto outcome, replica_.drop(hopeless));
      take(outcome, {}, now);
      if (!outcome.settled.empty()) {
        log_info("crdt", "gave up {} announced heads that nobody serves", outcome.settled.size());
      }
    }
    TRY_VOID(refill(now));
  }
  if (fetcher_.size() == 0) {
    depth_ = 0;
  }
  actions.history = history(now);
  if (!full()) {
    actions.requests = fetcher_.start(now);
  }
  const auto heads = announcer_.poll(now, replica_.heads());
  const Bytes history = announced_history(replica_.epoch());
  for (size_t i = 0; i < heads.size(); i += kHeadsPerMessage) {
    const auto end =
        heads.begin() + static_cast<ptrdiff_t>(std::min(i + kHeadsPerMessage, heads.size()));
    actions.broadcasts.push_back(
        encode_broadcast({heads.begin() + static_cast<ptrdiff_t>(i), end}, history));
  }
  return actions;
}

SteadyTime Synchronizer::next() const {
  SteadyTime at = std::min(announcer_.next(), housekeeping_at_);
  if (!full()) {
    at = std::min(at, fetcher_.next());
  }
  return at;
}

}  // namespace ica::crdt
