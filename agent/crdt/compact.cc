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
constexpr size_t kGroup = 4096;

Status copy_others(const store::Store& from, store::Store& to) {
  store::Batch batch;
  for (const Family family : kOthers) {
    auto cursor = from.cursor(family);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      if (family == Family::Meta && cursor->key() == kTotalsKey) {
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

Status copy_with_short_history(const store::Store& from, store::Store& to) {
  TRY(const auto state, DagState::load(from));
  if (state.work > 0) {
    return fail(Code::Conflict,
                "{} changes are known here and not merged yet: the peer has to be in step with the "
                "others first",
                state.work);
  }
  TRY_VOID(copy_others(from, to));
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
  return to.flush();
}

}  // namespace ica::crdt
