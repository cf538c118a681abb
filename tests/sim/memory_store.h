#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "agent/store/store.h"

namespace ica::sim {

// A store in memory that can die: fast enough for thousands of simulated peers, and as strict as a
// disk about what was synced. Cursors and snapshots see one moment, as RocksDB's do.
// Thread-safety: as Store; the calls of this class itself only while nobody else uses it.
class MemoryStore final : public store::Store {
 public:
  // As store::Options::commit_hook.
  using Hook = std::function<Status(store::CommitPoint point, uint64_t n)>;
  explicit MemoryStore(Hook hook = {});
  ~MemoryStore() override;

  // Commits since the last synced one.
  size_t unsynced() const { return undo_.size(); }
  // The machine loses its power: only the first `keep` of the unsynced commits were on disk.
  void lose_unsynced(size_t keep);

  Result<std::optional<Bytes>> get(store::Family family, BytesView key,
                                   const store::SnapshotPtr& snapshot = nullptr) const override;
  std::vector<Result<std::optional<Bytes>>> multi_get(
      store::Family family, const std::vector<Bytes>& keys,
      const store::SnapshotPtr& snapshot = nullptr) const override;
  Status commit(store::Batch batch, store::Sync sync) override;
  Status recover() override { return {}; }
  store::SnapshotPtr snapshot() const override;
  std::unique_ptr<store::Cursor> cursor(
      store::Family family, BytesView prefix = {},
      const store::SnapshotPtr& snapshot = nullptr) const override;
  std::unique_ptr<store::Cursor> range(store::Family family, BytesView first, BytesView last,
                                       const store::SnapshotPtr& snapshot = nullptr) const override;
  Status drop_all(store::Family family) override;
  Status replace(const store::Replacement& what, const store::Store& from) override;
  Status compact(store::Family family) override;
  Status checkpoint(const std::filesystem::path& directory) const override;
  Status flush() override;
  store::Stats stats() const override;

 private:
  friend class MemoryCursor;
  friend class MemorySnapshot;
  struct Version {
    uint64_t sequence = 0;
    std::optional<Bytes> value;  // nothing: deleted
  };
  using Versions = std::vector<Version>;  // oldest first
  using Records = std::map<Bytes, Versions, std::less<>>;
  struct Place {
    store::Family family{};
    Bytes key;
  };
  struct Change {
    Place place;
    std::optional<Bytes> value;
  };
  // Outlives the store as long as a cursor or a snapshot does.
  struct Shared {
    mutable std::mutex mutex;
    std::array<Records, store::kFamilies> families;
    uint64_t sequence = 0;
    std::multiset<uint64_t> readers;  // what snapshots and cursors see
    std::vector<Place> stale;         // have versions that only readers need

    static const std::optional<Bytes>* visible(const Versions& versions, uint64_t sequence);
    const std::optional<Bytes>* find(store::Family family, BytesView key, uint64_t at) const;
    void write(store::Family family, BytesView key, std::optional<Bytes> value);
    void forget_old();
  };
  class Writer;

  uint64_t moment(const store::SnapshotPtr& snapshot) const;

  const Hook hook_;
  std::shared_ptr<Shared> shared_;
  std::vector<std::vector<Change>> undo_;  // of the commits that were not synced
  uint64_t commits_ = 0;
  uint64_t synced_ = 0;
};

}  // namespace ica::sim
