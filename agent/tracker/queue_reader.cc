#include "agent/tracker/queue_reader.h"

namespace ica::tracker {

Result<std::optional<QueueEntry>> QueueReader::peek(Lane lane) {
  State& state = lanes_[static_cast<size_t>(lane)];
  if (state.ahead.empty() && !state.exhausted) {
    TRY_VOID(refill(lane, state));
  }
  if (state.ahead.empty()) {
    return std::optional<QueueEntry>();
  }
  return std::optional<QueueEntry>(state.ahead.front());
}

void QueueReader::take(Lane lane) {
  auto& ahead = lanes_[static_cast<size_t>(lane)].ahead;
  if (!ahead.empty()) {
    ahead.pop_front();
  }
}

void QueueReader::inserted(const QueueKey& key) {
  State& state = lanes_[static_cast<size_t>(key.lane)];
  state.exhausted = false;
  Bytes encoded = encode_queue_key(key);
  if (state.from.empty() || encoded >= state.from) {
    return;  // still to be read
  }
  // Before or among what was read ahead: read again from the first of them. Entries that were taken
  // and are met again are known to the owner.
  state.from = std::move(encoded);
  for (const QueueEntry& entry : state.ahead) {
    state.from = std::min(state.from, encode_queue_key(entry.key));
  }
  state.ahead.clear();
}

void QueueReader::put_back(QueueEntry entry) {
  State& state = lanes_[static_cast<size_t>(entry.key.lane)];
  state.ahead.push_front(std::move(entry));
}

void QueueReader::rewind() {
  lanes_ = {};
}

Status QueueReader::refill(Lane lane, State& state) {
  const Bytes prefix(1, static_cast<char>(lane));
  auto cursor = store_.cursor(store::Family::Queue, prefix);
  for (cursor->seek(state.from.empty() ? prefix : state.from);
       cursor->valid() && state.ahead.size() < kReadAhead; cursor->next()) {
    TRY(const QueueKey key, decode_queue_key(cursor->key()));
    TRY(Cid cid, Cid::from_bytes(cursor->value()));
    state.ahead.push_back({key, std::move(cid)});
    state.from = Bytes(cursor->key()) + '\0';
  }
  TRY_VOID(cursor->status());
  state.exhausted = !cursor->valid();
  return Status();
}

}  // namespace ica::tracker
