#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_buffer_manager.h>
#if __has_include(<rocksdb/advanced_cache.h>)
#include <rocksdb/advanced_cache.h>  // class Cache, since version 8
#endif

#include "agent/store/store.h"

namespace ica::store {

// What RocksDB needs to know, and why we choose it, is in layout.cc.
struct Layout {
  rocksdb::DBOptions db;
  std::array<rocksdb::ColumnFamilyOptions, kFamilies> families;
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<std::atomic<uint64_t>> stalls;
};
Layout make_layout(size_t memory_budget);

// Code and sentence for the user; `what` is what was being done.
Error error_from(const rocksdb::Status& status, std::string_view what,
                 const std::filesystem::path& path);

// The open database. Snapshots and cursors share it, so that it outlives them.
struct Database {
  ~Database();
  rocksdb::ColumnFamilyHandle* handle(Family family) const {
    return handles[static_cast<size_t>(family)];
  }

  std::filesystem::path path;
  Layout layout;
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles{};
};
using DatabasePtr = std::shared_ptr<Database>;

class RocksSnapshot final : public Snapshot {
 public:
  explicit RocksSnapshot(DatabasePtr database)
      : database_(std::move(database)), snapshot_(database_->db->GetSnapshot()) {}
  ~RocksSnapshot() override { database_->db->ReleaseSnapshot(snapshot_); }
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  DatabasePtr database_;
  const rocksdb::Snapshot* snapshot_;
};

// Null for none; every snapshot that a database is given is one of its own.
inline const rocksdb::Snapshot* raw(const SnapshotPtr& snapshot) {
  return snapshot ? static_cast<const RocksSnapshot&>(*snapshot).get() : nullptr;
}

// Keys from `lower` up to, without, `upper` (empty: no bound).
std::unique_ptr<Cursor> make_cursor(DatabasePtr database, Family family, Bytes lower, Bytes upper,
                                    bool fill_cache, SnapshotPtr snapshot);

}  // namespace ica::store
