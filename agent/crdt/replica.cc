#include "agent/crdt/replica.h"

#include "common/base/log.h"

namespace ica::crdt {

using store::Family;
using store::Sync;

Result<std::unique_ptr<Replica>> Replica::open(store::Store& store) {
  auto replica = std::unique_ptr<Replica>(new Replica(store));
  TRY_VOID(replica->reload());
  return replica;
}

Status Replica::reload() {
  TRY(const auto state, DagState::load(store_).context("reading the pinset"));
  TRY(auto epoch, load_epoch(store_));
  adopt(state);
  const std::lock_guard lock(mutex_);
  epoch_ = std::move(epoch);
  return {};
}

Status Replica::set_epoch(const Epoch& epoch) {
  store::Batch batch;
  batch.put(Family::Meta, kEpochKey, encode_epoch(epoch));
  TRY_VOID(store_.commit(std::move(batch), Sync::Yes));
  const std::lock_guard lock(mutex_);
  epoch_ = epoch;
  return {};
}

void Replica::adopt(const DagState& state) {
  state_ = state;
  auto heads = state_.heads();
  PinsetInfo info;
  info.pins = state_.totals.pins;
  info.heads = heads.size();
  info.height = state_.height;
  info.blocks = state_.blocks;
  info.digest = state_.totals.digest;
  info.work = state_.work;
  info.synced_to = state_.work == 0 ? 0 : state_.synced_to;
  const std::lock_guard lock(mutex_);
  info_ = info;
  heads_ = std::move(heads);
}

Result<MergeOutcome> Replica::commit(Transaction& transaction, Sync sync) {
  MergeOutcome outcome;
  if (!transaction.changed()) {
    return outcome;
  }
  auto batch = transaction.finish(observers_);
  Status status;
  if (!batch) {
    status = fail(batch.error());
  } else {
    status = store_.commit(*std::move(batch), sync);
  }
  for (auto* observer : observers_) {
    observer->on_committed(status);
  }
  TRY_VOID(std::move(status));
  const auto before = heads();
  adopt(transaction.state());
  outcome.wanted = transaction.wanted();
  outcome.settled = transaction.settled();
  outcome.heads_changed = before != heads();
  return outcome;
}

Result<std::vector<Bytes>> Replica::write(const std::vector<LocalOp>& ops) {
  Transaction transaction(store_, state_);
  TRY(auto digests, transaction.write(ops));
  TRY_VOID(commit(transaction, Sync::Yes));
  return digests;
}

Result<MergeOutcome> Replica::receive_heads(const std::vector<Bytes>& digests) {
  Transaction transaction(store_, state_);
  for (const auto& digest : digests) {
    const auto added = transaction.announce(digest);
    if (!added && added.error().code() == Code::Busy) {
      // Announcements are repeated, so what does not fit now comes again.
      static LogLimiter limiter;
      if (limiter.allow("heads")) {
        log_warn("crdt", "{}; the rest of this announcement is left out", added.error().message());
      }
      break;
    }
    TRY_VOID(added);
  }
  // Not worth a sync: a lost announcement is repeated too.
  return commit(transaction, Sync::No);
}

Result<MergeOutcome> Replica::merge(const std::vector<Fetched>& blocks) {
  Transaction transaction(store_, state_);
  size_t merged = 0;
  for (const auto& fetched : blocks) {
    TRY(const bool done, transaction.merge(fetched.digest, fetched.block));
    merged += done ? 1 : 0;
  }
  TRY(auto outcome, commit(transaction, Sync::Yes));
  outcome.merged = merged;
  return outcome;
}

Result<MergeOutcome> Replica::drop(const std::vector<Bytes>& digests) {
  Transaction transaction(store_, state_);
  for (const auto& digest : digests) {
    TRY_VOID(transaction.drop(digest));
  }
  return commit(transaction, Sync::No);
}

PinsetInfo Replica::info() const {
  const std::lock_guard lock(mutex_);
  return info_;
}

Epoch Replica::epoch() const {
  const std::lock_guard lock(mutex_);
  return epoch_;
}

std::vector<Bytes> Replica::heads() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

Result<std::optional<Bytes>> Replica::block(BytesView digest) const {
  return store_.get(Family::Blocks, digest);
}

Result<bool> Replica::merged(BytesView digest) const {
  TRY(const auto mark, store_.get(Family::Work, processed_key(digest)));
  return mark.has_value();
}

Result<std::optional<uint64_t>> Replica::height(BytesView digest) const {
  TRY(const auto mark, store_.get(Family::Work, processed_key(digest)));
  if (!mark) {
    return std::optional<uint64_t>();
  }
  BytesView in = *mark;
  return std::optional<uint64_t>(take_uvarint(in).value_or(0));
}

Result<std::vector<Bytes>> Replica::work(BytesView after, size_t limit) const {
  std::vector<Bytes> out;
  auto cursor = store_.cursor(Family::Work, "w");
  for (cursor->seek(work_key(after)); cursor->valid() && out.size() < limit; cursor->next()) {
    const BytesView digest = cursor->key().substr(1);
    if (digest != after) {
      out.emplace_back(digest);
    }
  }
  TRY_VOID(cursor->status());
  return out;
}

Result<std::optional<api::Pin>> Replica::get(const Cid& cid,
                                             const store::SnapshotPtr& snapshot) const {
  TRY(const auto record, store_.get(Family::Pins, cid.bytes(), snapshot));
  if (!record) {
    return std::optional<api::Pin>();
  }
  TRY(auto pin, pin_of_record(cid, *record));
  return std::optional<api::Pin>(std::move(pin));
}

Result<std::vector<api::Pin>> Replica::page(const Cid& after, size_t limit,
                                            const store::SnapshotPtr& snapshot) const {
  constexpr size_t kRoom = 256;  // what nearly all callers ask for; moving pins is not for free
  std::vector<api::Pin> pins;
  pins.reserve(std::min(limit, kRoom));
  auto cursor = store_.cursor(Family::Pins, {}, snapshot);
  // The first key behind `after`.
  after.defined() ? cursor->seek(after.bytes() + '\0') : cursor->seek_first();
  for (; cursor->valid() && pins.size() < limit; cursor->next()) {
    TRY(const auto cid, Cid::from_bytes(cursor->key()).context("a key of the pinset"));
    auto pin = pin_of_record(cid, cursor->value());
    if (!pin) {
      return fail(std::move(pin.error()));
    }
    pins.push_back(*std::move(pin));
  }
  TRY_VOID(cursor->status());
  return pins;
}

Result<std::vector<Cid>> Replica::expired(Time now, size_t limit) const {
  std::vector<Cid> cids;
  auto cursor = store_.cursor(Family::ByExpiry);
  const Bytes end = by_expiry_key(now, Cid());
  for (cursor->seek_first(); cursor->valid() && cids.size() < limit; cursor->next()) {
    // Expiries are whole seconds; one that is equal has passed when `now` is within that second.
    const BytesView second = cursor->key().substr(0, end.size());
    if (second > end || (second == end && now.nanoseconds() == 0)) {
      break;
    }
    cids.push_back(cid_of_expiry_key(cursor->key()));
  }
  TRY_VOID(cursor->status());
  return cids;
}

Result<std::optional<Time>> Replica::next_expiry() const {
  auto cursor = store_.cursor(Family::ByExpiry);
  cursor->seek_first();
  TRY_VOID(cursor->status());
  if (!cursor->valid()) {
    return std::optional<Time>();
  }
  return std::optional<Time>(time_of_expiry_key(cursor->key()));
}

namespace {

// CIDs at the end of index keys with this prefix.
Result<std::vector<Cid>> cids_behind(const store::Store& store, Family family, const Bytes& prefix,
                                     const Cid& after, size_t limit,
                                     const store::SnapshotPtr& snapshot) {
  std::vector<Cid> out;
  auto cursor = store.cursor(family, prefix, snapshot);
  after.defined() ? cursor->seek(prefix + after.bytes() + '\0') : cursor->seek(prefix);
  for (; cursor->valid() && out.size() < limit; cursor->next()) {
    if (family == Family::ByName) {
      BytesView value = cursor->value();
      if (take_uvarint(value) != prefix.size()) {
        continue;  // a longer name with a zero byte in it
      }
    }
    TRY(auto cid, Cid::from_bytes(cursor->key().substr(prefix.size())).context("an index key"));
    out.push_back(std::move(cid));
  }
  TRY_VOID(cursor->status());
  return out;
}

}  // namespace

Result<std::vector<Cid>> Replica::allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                               const store::SnapshotPtr& snapshot) const {
  return cids_behind(store_, Family::ByPeer, by_peer_prefix(peer), after, limit, snapshot);
}

Result<std::vector<Cid>> Replica::crowded(const Cid& after, size_t limit,
                                          const store::SnapshotPtr& snapshot) const {
  return cids_behind(store_, Family::ByPeer, crowded_prefix(), after, limit, snapshot);
}

Result<std::vector<Cid>> Replica::named(std::string_view name, const Cid& after, size_t limit,
                                        const store::SnapshotPtr& snapshot) const {
  return cids_behind(store_, Family::ByName, by_name_prefix(name), after, limit, snapshot);
}

Result<std::vector<PeerId>> Replica::allocated_peers() const {
  std::vector<PeerId> out;
  auto cursor = store_.cursor(Family::ByPeer);
  cursor->seek(store::prefix_end(crowded_prefix()));
  while (cursor->valid()) {
    TRY(auto peer, peer_of_by_peer_key(cursor->key()).context("an index key"));
    Bytes past = by_peer_prefix(peer);
    out.push_back(std::move(peer));
    // No CID starts with this byte, so one step passes over all pins of the peer.
    past.push_back('\xff');
    cursor->seek(past);
  }
  TRY_VOID(cursor->status());
  return out;
}

}  // namespace ica::crdt
