#include "tests/sim/memory_store.h"

namespace ica::sim {

using store::Family;
using store::SnapshotPtr;

// Keeps what was true at one moment readable.
class MemorySnapshot final : public store::Snapshot {
 public:
  explicit MemorySnapshot(std::shared_ptr<MemoryStore::Shared> shared)
      : shared_(std::move(shared)) {
    const std::lock_guard lock(shared_->mutex);
    sequence_ = shared_->sequence;
    shared_->readers.insert(sequence_);
  }
  ~MemorySnapshot() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->readers.erase(shared_->readers.find(sequence_));
  }
  MemorySnapshot(const MemorySnapshot&) = delete;
  MemorySnapshot& operator=(const MemorySnapshot&) = delete;
  uint64_t sequence() const { return sequence_; }

 private:
  std::shared_ptr<MemoryStore::Shared> shared_;
  uint64_t sequence_ = 0;
};

// While one lives no record leaves the map, so its place in it stays valid.
class MemoryCursor final : public store::Cursor {
 public:
  // Keys from `lower` up to, without, `upper` (empty: no bound).
  MemoryCursor(std::shared_ptr<MemoryStore::Shared> shared, Family family, Bytes lower, Bytes upper,
               SnapshotPtr snapshot)
      : shared_(std::move(shared)),
        snapshot_(snapshot ? std::move(snapshot) : std::make_shared<MemorySnapshot>(shared_)),
        sequence_(static_cast<const MemorySnapshot&>(*snapshot_).sequence()),
        records_(shared_->families[static_cast<size_t>(family)]),
        lower_(std::move(lower)),
        upper_(std::move(upper)),
        at_(records_.end()) {}

  void seek(BytesView key) override {
    const std::lock_guard lock(shared_->mutex);
    at_ = records_.lower_bound(std::max(key, BytesView(lower_)));
    forward();
  }
  void seek_first() override { seek(lower_); }
  void seek_last() override {
    const std::lock_guard lock(shared_->mutex);
    at_ = upper_.empty() ? records_.end() : records_.lower_bound(upper_);
    backward();
  }
  void next() override {
    const std::lock_guard lock(shared_->mutex);
    ++at_;
    forward();
  }
  void prev() override {
    const std::lock_guard lock(shared_->mutex);
    backward();
  }
  bool valid() const override { return valid_; }
  BytesView key() const override { return at_->first; }
  BytesView value() const override { return value_; }
  Status status() const override { return {}; }

 private:
  // At the first visible record from here on.
  void forward() {
    while (at_ != records_.end() && (upper_.empty() || at_->first < upper_)) {
      if (take()) {
        return;
      }
      ++at_;
    }
    valid_ = false;
  }
  // At the last visible record before this place.
  void backward() {
    while (at_ != records_.begin()) {
      --at_;
      if (at_->first < lower_) {
        break;
      }
      if (take()) {
        return;
      }
    }
    valid_ = false;
  }
  bool take() {
    const auto* value = MemoryStore::Shared::visible(at_->second, sequence_);
    valid_ = value != nullptr && value->has_value();
    if (valid_) {
      value_ = **value;
    }
    return valid_;
  }

  std::shared_ptr<MemoryStore::Shared> shared_;
  SnapshotPtr snapshot_;
  const uint64_t sequence_;
  const MemoryStore::Records& records_;
  const Bytes lower_;
  const Bytes upper_;
  MemoryStore::Records::const_iterator at_;
  bool valid_ = false;
  Bytes value_;
};

const std::optional<Bytes>* MemoryStore::Shared::visible(const Versions& versions,
                                                         uint64_t sequence) {
  for (auto it = versions.rbegin(); it != versions.rend(); ++it) {
    if (it->sequence <= sequence) {
      return &it->value;
    }
  }
  return nullptr;
}

const std::optional<Bytes>* MemoryStore::Shared::find(Family family, BytesView key,
                                                      uint64_t at) const {
  const auto& records = families[static_cast<size_t>(family)];
  const auto it = records.find(key);
  return it == records.end() ? nullptr : visible(it->second, at);
}

void MemoryStore::Shared::write(Family family, BytesView key, std::optional<Bytes> value) {
  auto& records = families[static_cast<size_t>(family)];
  auto it = records.find(key);
  if (it == records.end()) {
    if (!value) {
      return;
    }
    it = records.emplace(Bytes(key), Versions()).first;
  }
  if (readers.empty()) {
    if (!value) {
      records.erase(it);
      return;
    }
    it->second.clear();
  } else if (!value || !it->second.empty()) {
    stale.push_back({family, Bytes(key)});
  }
  it->second.push_back({sequence, std::move(value)});
}

void MemoryStore::Shared::forget_old() {
  if (!readers.empty()) {
    return;
  }
  for (const auto& place : stale) {
    auto& records = families[static_cast<size_t>(place.family)];
    const auto it = records.find(place.key);
    if (it == records.end()) {
      continue;
    }
    if (!it->second.back().value) {
      records.erase(it);
    } else if (it->second.size() > 1) {
      it->second.erase(it->second.begin(), std::prev(it->second.end()));
    }
  }
  stale.clear();
}

class MemoryStore::Writer final : public store::Batch::Handler {
 public:
  explicit Writer(Shared& shared) : shared_(shared) {}
  void put(Family family, BytesView key, BytesView value) override {
    change(family, key, Bytes(value));
  }
  void del(Family family, BytesView key) override { change(family, key, std::nullopt); }
  void del_range(Family family, BytesView from, BytesView to) override {
    const auto& records = shared_.families[static_cast<size_t>(family)];
    std::vector<Bytes> keys;
    for (auto it = records.lower_bound(from); it != records.end() && it->first < to; ++it) {
      keys.push_back(it->first);
    }
    for (const auto& key : keys) {
      change(family, key, std::nullopt);
    }
  }
  std::vector<Change> undo() && { return std::move(undo_); }

 private:
  void change(Family family, BytesView key, std::optional<Bytes> value) {
    const auto* before = shared_.find(family, key, shared_.sequence);
    undo_.push_back({{family, Bytes(key)}, before == nullptr ? std::nullopt : *before});
    shared_.write(family, key, std::move(value));
  }

  Shared& shared_;
  std::vector<Change> undo_;
};

MemoryStore::MemoryStore(Hook hook) : hook_(std::move(hook)), shared_(std::make_shared<Shared>()) {}
MemoryStore::~MemoryStore() = default;

uint64_t MemoryStore::moment(const SnapshotPtr& snapshot) const {
  return snapshot ? static_cast<const MemorySnapshot&>(*snapshot).sequence() : shared_->sequence;
}

void MemoryStore::lose_unsynced(size_t keep) {
  const std::lock_guard lock(shared_->mutex);
  ++shared_->sequence;
  while (undo_.size() > keep) {
    for (auto it = undo_.back().rbegin(); it != undo_.back().rend(); ++it) {
      shared_->write(it->place.family, it->place.key, std::move(it->value));
    }
    undo_.pop_back();
  }
  undo_.clear();
  shared_->forget_old();
}

Result<std::optional<Bytes>> MemoryStore::get(Family family, BytesView key,
                                              const SnapshotPtr& snapshot) const {
  const std::lock_guard lock(shared_->mutex);
  const auto* value = shared_->find(family, key, moment(snapshot));
  return value == nullptr ? std::optional<Bytes>() : *value;
}

std::vector<Result<std::optional<Bytes>>> MemoryStore::multi_get(
    Family family, const std::vector<Bytes>& keys, const SnapshotPtr& snapshot) const {
  std::vector<Result<std::optional<Bytes>>> out;
  out.reserve(keys.size());
  for (const auto& key : keys) {
    out.push_back(get(family, key, snapshot));
  }
  return out;
}

Status MemoryStore::commit(store::Batch batch, store::Sync sync) {
  const uint64_t n = ++commits_;
  if (hook_) {
    TRY_VOID(hook_(store::CommitPoint::Before, n));
  }
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->forget_old();
    ++shared_->sequence;
    Writer writer(*shared_);
    batch.replay(writer);
    if (sync == store::Sync::Yes) {
      undo_.clear();
      ++synced_;
    } else {
      undo_.push_back(std::move(writer).undo());
    }
  }
  if (hook_) {
    return hook_(store::CommitPoint::After, n);
  }
  return {};
}

SnapshotPtr MemoryStore::snapshot() const {
  return std::make_shared<MemorySnapshot>(shared_);
}

std::unique_ptr<store::Cursor> MemoryStore::cursor(Family family, BytesView prefix,
                                                   const SnapshotPtr& snapshot) const {
  return std::make_unique<MemoryCursor>(shared_, family, Bytes(prefix), store::prefix_end(prefix),
                                        snapshot);
}

std::unique_ptr<store::Cursor> MemoryStore::range(Family family, BytesView first, BytesView last,
                                                  const SnapshotPtr& snapshot) const {
  return std::make_unique<MemoryCursor>(shared_, family, Bytes(first), Bytes(last) + '\0',
                                        snapshot);
}

Status MemoryStore::drop_all(Family family) {
  auto last = cursor(family);
  last->seek_last();
  if (!last->valid()) {
    return {};
  }
  store::Batch batch;
  batch.del_range(family, {}, Bytes(last->key()) + '\0');
  last.reset();
  return commit(std::move(batch), store::Sync::Yes);
}

Status MemoryStore::replace(const store::Replacement& what, const store::Store& from) {
  store::Batch batch;
  for (const Family family : what.families) {
    if (auto last = cursor(family); last->seek_last(), last->valid()) {
      batch.del_range(family, {}, Bytes(last->key()) + '\0');
    }
    auto in = from.cursor(family);
    for (in->seek_first(); in->valid(); in->next()) {
      batch.put(family, in->key(), in->value());
    }
  }
  for (const auto& [family, key] : what.keys) {
    TRY(const auto value, from.get(family, key));
    if (!value) {
      return fail(Code::NotFound, "a record that is to be replaced has no successor");
    }
    batch.put(family, key, *value);
  }
  return commit(std::move(batch), store::Sync::Yes);
}

Status MemoryStore::compact(Family) {
  return {};
}

Status MemoryStore::checkpoint(const std::filesystem::path&) const {
  return fail(Code::Unsupported, "a store in memory has no files");
}

Status MemoryStore::flush() {
  undo_.clear();
  return {};
}

store::Stats MemoryStore::stats() const {
  const std::lock_guard lock(shared_->mutex);
  store::Stats stats;
  for (size_t i = 0; i < store::kFamilies; ++i) {
    stats.families[i].keys_estimate = shared_->families[i].size();
  }
  stats.commits = commits_;
  stats.synced_commits = synced_;
  return stats;
}

}  // namespace ica::sim
