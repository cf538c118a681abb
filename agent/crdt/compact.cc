#include "agent/crdt/compact.h"

#include "agent/crdt/records.h"
#include "agent/crdt/replica.h"

namespace ica::crdt {

using store::Family;

namespace {

// What belongs to others; the pinset's own families are written anew.
constexpr Family kOthers[] = {Family::Meta,  Family::ByStatus, Family::Status,
                              Family::Queue, Family::IpfsPins, Family::Events};
constexpr size_t kCopyBytes = 1 << 20;
constexpr BytesView kNoHeight("\0", 1);  // a uvarint; nodes have heights from 1 on
constexpr size_t kGroup = 4096;

Status copy_others(const store::Store& from, store::Store& to) {
  store::Batch batch;
  for (const Family family : kOthers) {
    auto cursor = from.cursor(family);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      if (family == Family::Meta && (cursor->key() == kTotalsKey || cursor->key() == kEpochKey)) {
        continue;
      }
      batch.put(family, cursor->key(), cursor->value());
      if (batch.bytes() >= kCopyBytes) {
        TRY_VOID(to.commit(std::exchange(batch, {}), store::Sync::No));
      }
    }
    TRY_VOID(cursor->status());
  }
  return to.commit(std::move(batch), store::Sync::Yes);
}

// Collects values in the order of their keys and writes them in groups of a fixed size, so that the
// nodes are the same wherever the values are.
class Writer {
 public:
  explicit Writer(Replica& to) : to_(to) {}
  Status add(Bytes key, BytesView record) {
    TRY(auto current, decode_current(record));
    ops_.push_back({std::move(key), std::move(current.value)});
    return ops_.size() < kGroup ? Status() : flush();
  }
  Status flush() {
    TRY_VOID(to_.write(std::exchange(ops_, {})));
    return {};
  }

 private:
  Replica& to_;
  std::vector<LocalOp> ops_;
};

}  // namespace

namespace {

// Also for an empty pinset, which gets no node.
Status begin_at(uint64_t height, store::Store& to) {
  DagState state;
  state.height = height;
  store::Batch batch;
  state.save(DagState(), batch);
  return to.commit(std::move(batch), store::Sync::No);
}

// The nodes of the present history stay known as merged. Those of the one before it are forgotten,
// so that what is kept is bounded by what happens between two compactions.
Status retire_nodes(const store::Store& from, store::Store& to) {
  store::Batch batch;
  const Bytes prefix = processed_key({});
  auto marks = from.cursor(Family::Work, prefix);
  for (marks->seek(prefix); marks->valid(); marks->next()) {
    if (marks->value() == kNoHeight) {
      continue;
    }
    batch.put(Family::Work, marks->key(), kNoHeight);
    if (batch.bytes() >= kCopyBytes) {
      TRY_VOID(to.commit(std::exchange(batch, {}), store::Sync::No));
    }
  }
  TRY_VOID(marks->status());
  return to.commit(std::move(batch), store::Sync::Yes);
}

}  // namespace

Result<Epoch> write_short_history(const store::Store& from, store::Store& to, Epoch next) {
  TRY(const auto state, DagState::load(from));
  if (state.work > 0) {
    return fail(Code::Conflict,
                "{} changes are known here and not merged yet: the peer has to be in step with the "
                "others first",
                state.work);
  }
  next.digest = state.totals.digest;
  next.height = next.height == 0 ? state.height : next.height;
  TRY_VOID(begin_at(next.height, to));
  TRY(const auto replica, Replica::open(to));
  Writer writer(*replica);
  auto pins = from.cursor(Family::Pins);
  for (pins->seek_first(); pins->valid(); pins->next()) {
    Bytes key(1, '\x01');
    key += pins->key();
    TRY_VOID(writer.add(std::move(key), pins->value()));
  }
  TRY_VOID(pins->status());
  auto odd = from.cursor(Family::Elems, "v");
  for (odd->seek_first(); odd->valid(); odd->next()) {
    TRY_VOID(writer.add(Bytes(odd->key().substr(1)), odd->value()));
  }
  TRY_VOID(odd->status());
  TRY_VOID(writer.flush());
  if (replica->info().digest != state.totals.digest) {
    return fail(Code::Corrupt, "the values do not have the digest that the state has");
  }
  TRY_VOID(retire_nodes(from, to));
  const auto heads = replica->heads();
  next.base = heads.empty() ? Bytes() : heads.front();
  TRY_VOID(replica->set_epoch(next));
  TRY_VOID(to.flush());
  return next;
}

Status copy_with_short_history(const store::Store& from, store::Store& to) {
  TRY(const auto present, load_epoch(from));
  TRY_VOID(copy_others(from, to));
  Epoch next;
  next.number = present.number + 1;
  next.began = static_cast<uint64_t>(Time::now().unix_nanos() / 1'000'000'000);
  TRY_VOID(write_short_history(from, to, next));
  return {};
}

const store::Replacement& short_history_content() {
  static const store::Replacement content = {
      .families = {Family::Blocks, Family::Elems, Family::Tombs, Family::Heads, Family::Work,
                   Family::Pins},
      .keys = {{Family::Meta, Bytes(kTotalsKey)}, {Family::Meta, Bytes(kEpochKey)}}};
  return content;
}

}  // namespace ica::crdt
