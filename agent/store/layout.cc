#include <cstdarg>
#include <cstdio>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/store/database.h"
#include "common/base/log.h"

namespace ica::store {

namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

// Warnings and errors of RocksDB in our own log, and no LOG files, of which one per start would be
// the largest thing in an empty folder.
class LogBridge final : public rocksdb::Logger {
 public:
  LogBridge() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    write(LogLevel::Warn, format, arguments);
  }
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level == rocksdb::InfoLogLevel::WARN_LEVEL) {
      write(LogLevel::Warn, format, arguments);
    } else if (level == rocksdb::InfoLogLevel::ERROR_LEVEL ||
               level == rocksdb::InfoLogLevel::FATAL_LEVEL) {
      write(LogLevel::Error, format, arguments);
    }
  }
  void LogHeader(const char*, va_list) override {}

 private:
  static void write(LogLevel level, const char* format, va_list arguments) {
    std::array<char, 512> line;  // some hold a whole description of the database
    const int n = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (n <= 0) {
      return;
    }
    const std::string_view text(line.data(), std::min<size_t>(n, line.size() - 1));
    // Most warnings tell of its housekeeping (stalls are counted in Stats); damage is for people.
    const bool damage = text.find("Corruption") != text.npos || text.find("rror") != text.npos;
    if (const LogLevel at = damage ? level : LogLevel::Debug; log_enabled("store", at)) {
      log_write("store", at, text);
    }
  }
};

// The usual files, without OPTIONS: RocksDB writes one for every family that it makes and whenever
// it opens, and reads it back each time. Nobody uses them, the options are those below, and they
// were half of the work of a start.
class Files final : public rocksdb::FileSystemWrapper {
 public:
  explicit Files(const std::shared_ptr<rocksdb::FileSystem>& target)
      : rocksdb::FileSystemWrapper(target) {}
  const char* Name() const override { return "Files"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    if (path.find("/OPTIONS-", path.rfind('/')) != path.npos) {
      return rocksdb::IOStatus::NotSupported("options are not kept in a file");
    }
    return target()->NewWritableFile(path, options, result, debug);
  }
};

// For the whole life of the process, as RocksDB's own is: its threads may outlive a database.
rocksdb::Env* files() {
  static rocksdb::Env* const env =
      rocksdb::NewCompositeEnv(std::make_shared<Files>(rocksdb::FileSystem::Default())).release();
  return env;
}

// Merging files gives way to those who ask: on a busy processor it gets a third of what another
// thread gets. With much less it would fall behind, and then all who write wait for it.
constexpr int kMergeNiceness = 5;

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<std::atomic<uint64_t>> stalls) : stalls_(std::move(stalls)) {}
  // On the thread that merges, which does nothing else.
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    thread_local const int outcome =
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kMergeNiceness);
    (void)outcome;  // where it is forbidden, merging goes on as before
  }
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    if (info.condition.cur != rocksdb::WriteStallCondition::kNormal) {
      stalls_->fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  std::shared_ptr<std::atomic<uint64_t>> stalls_;
};

rocksdb::CompressionType best_compression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (const auto wanted :
       {rocksdb::kZSTD, rocksdb::kLZ4Compression, rocksdb::kSnappyCompression}) {
    if (std::find(supported.begin(), supported.end(), wanted) != supported.end()) {
      return wanted;
    }
  }
  return rocksdb::kNoCompression;
}

// Families with a handful of records, or short-lived ones.
bool is_small(Family family) {
  return family == Family::Meta || family == Family::Heads || family == Family::Work ||
         family == Family::ByExpiry;
}

rocksdb::ColumnFamilyOptions family_options(Family family,
                                            const std::shared_ptr<rocksdb::Cache>& cache,
                                            rocksdb::CompressionType compression) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  // Indexes and filters live in the cache in pieces, so that their memory does not follow the size
  // of the pinset.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4 * kKiB;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = family == Family::Blocks ? 16 * kKiB : 8 * kKiB;
  // Readable by the RocksDB of Debian 12, whichever version writes.
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = is_small(family) ? kMiB : 4 * kMiB;
  // Memory is taken from the arena in steps of this size: a family that is hardly used costs one.
  options.arena_block_size = is_small(family) ? 8 * kKiB : 64 * kKiB;
  // A bound for memory is set by the write buffer manager; here it would only stop writers early.
  options.max_write_buffer_number = 4;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = 16 * kMiB;
  options.max_bytes_for_level_base = 64 * kMiB;
  options.compression = compression;
  options.bottommost_compression = compression;
  options.compression_opts.level = 1;
  options.bottommost_compression_opts.level = 3;
  options.bottommost_compression_opts.enabled = true;
  return options;
}

}  // namespace

Layout make_layout(size_t memory_budget) {
  const size_t budget = std::max<size_t>(memory_budget, 8 * kMiB);
  Layout layout;
  // Three eighths for the cache, of which the write buffers may take up to a quarter of the budget;
  // the rest is for compaction, iterators, table readers and what the allocator cannot give back.
  layout.cache = rocksdb::NewLRUCache(budget / 8 * 3, /*num_shard_bits=*/2,
                                      /*strict_capacity_limit=*/false, /*high_pri_pool_ratio=*/0.5);
  layout.write_buffers = std::make_shared<rocksdb::WriteBufferManager>(budget / 4, layout.cache);
  layout.stalls = std::make_shared<std::atomic<uint64_t>>(0);

  rocksdb::DBOptions& db = layout.db;
  db.env = files();
  db.fail_if_options_file_error = false;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.write_buffer_manager = layout.write_buffers;
  db.max_open_files = 128;
  db.table_cache_numshardbits = 2;
  db.max_file_opening_threads = 1;
  db.skip_stats_update_on_db_open = true;
  db.max_background_jobs = 2;
  // There is one writer at a time, so its memtables need no per-core arenas.
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  // Preallocated logs would be most of a small folder.
  db.allow_fallocate = false;
  db.manifest_preallocation_size = 64 * kKiB;
  db.max_manifest_file_size = 4 * kMiB;
  db.max_total_wal_size = std::max<size_t>(budget / 4, 4 * kMiB);
  // A start must not write tables; the log stays until the memory fills in the ordinary way.
  db.avoid_flush_during_recovery = true;
  // Ends at the first record that the last power loss left half-written. That nothing which was
  // synced is behind it is what SyncedMark is for.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.bytes_per_sync = kMiB;
  db.info_log = std::make_shared<LogBridge>();
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.listeners.push_back(std::make_shared<Listener>(layout.stalls));

  const auto compression = best_compression();
  for (size_t i = 0; i < kFamilies; ++i) {
    layout.families[i] = family_options(static_cast<Family>(i), layout.cache, compression);
  }
  return layout;
}

}  // namespace ica::store
