#include "agent/store/store.h"

#include <chrono>
#include <mutex>
#include <rocksdb/experimental.h>
#include <rocksdb/utilities/checkpoint.h>

#include "agent/store/database.h"
#include "agent/store/folder.h"
#include "agent/store/replace.h"
#include "agent/store/synced_mark.h"
#include "common/base/log.h"

namespace ica::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::array<std::string_view, kFamilies> kNames = {
    "meta",      "blocks",    "elems",   "tombs",  "heads", "work",      "pins",  "by_peer",
    "by_expiry", "by_status", "by_name", "status", "queue", "ipfs_pins", "events"};
// RocksDB insists on this one; it is our Meta.
constexpr std::string_view kMetaInRocksDb = "default";

constexpr std::string_view kNoSuchFile = "No such file";
constexpr size_t kSalvageMemory = 32 << 20;
constexpr int kReadOnlyAttempts = 20;
constexpr size_t kCopyBytes = 1 << 20;

std::string rocks_name(size_t family) {
  return std::string(family == 0 ? kMetaInRocksDb : kNames[family]);
}

rocksdb::Slice slice(BytesView b) {
  return {b.data(), b.size()};
}

Error newer_format(const fs::path& path, std::string_view what) {
  return Error(Code::Unsupported,
               fmt::format("the data folder {} was written by a newer version of this program ({}; "
                           "this one knows format {}): start that version again, or export the "
                           "state with it and import it here",
                           path.string(), what, Store::kFormatVersion));
}

Status check_families(const Options& options, const Layout& layout) {
  std::error_code ec;
  if (!fs::exists(options.path / "CURRENT", ec)) {
    return {};
  }
  std::vector<std::string> present;
  const auto status = rocksdb::DB::ListColumnFamilies(layout.db, options.path.string(), &present);
  if (!status.ok()) {
    return fail(error_from(status, "opening", options.path));
  }
  for (const auto& name : present) {
    bool known = false;
    for (size_t i = 0; i < kFamilies; ++i) {
      known = known || rocks_name(i) == name;
    }
    if (!known) {
      return fail(newer_format(options.path, fmt::format("it holds '{}'", name)));
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(Family family) {
  return kNames[static_cast<size_t>(family)];
}

Error error_from(const rocksdb::Status& status, std::string_view what, const fs::path& path) {
  const std::string text = status.ToString();
  if (status.IsCorruption() || status.IsInvalidArgument() || status.IsNotSupported() ||
      status.IsPathNotFound() || status.IsNotFound()) {
    return Error(Code::Corrupt,
                 fmt::format("{} the data folder {}: it is damaged ({}); restore it from a backup, "
                             "or move it away and let this peer sync again from the others",
                             what, path.string(), text));
  }
  if (status.IsIOError() && text.find("/LOCK") != std::string::npos) {
    const pid_t pid = lock_holder(path / "LOCK");
    const std::string who = pid > 0 ? fmt::format(" (process {})", pid) : "";
    return Error(Code::Busy,
                 fmt::format("the data folder {} is in use by another process{}: stop that one "
                             "first, or give this one a folder of its own",
                             path.string(), who));
  }
  if (status.IsBusy() || status.IsTryAgain()) {
    return Error(Code::Busy, fmt::format("{} the data folder {}: {}", what, path.string(), text));
  }
  if (status.IsIOError() && text.find(kNoSuchFile) != std::string::npos) {
    return Error(Code::Corrupt,
                 fmt::format("{} the data folder {}: a file is missing ({}); restore it from a "
                             "backup, or move it away and let this peer sync again from the others",
                             what, path.string(), text));
  }
  return Error(Code::Io, fmt::format("{} the data folder {}: {}", what, path.string(), text));
}

Database::~Database() {
  for (auto* handle : handles) {
    if (handle != nullptr) {
      db->DestroyColumnFamilyHandle(handle);
    }
  }
  if (db) {
    db->Close().PermitUncheckedError();
  }
}

namespace {

// The families of a batch get their handles only at the commit, because a batch is made without a
// store.
class ToRocks final : public Batch::Handler {
 public:
  ToRocks(const Database& database, rocksdb::WriteBatch& out) : database_(database), out_(out) {}
  void put(Family family, BytesView key, BytesView value) override {
    keep(out_.Put(database_.handle(family), slice(key), slice(value)));
  }
  void del(Family family, BytesView key) override {
    keep(out_.Delete(database_.handle(family), slice(key)));
  }
  void del_range(Family family, BytesView from, BytesView to) override {
    keep(out_.DeleteRange(database_.handle(family), slice(from), slice(to)));
  }
  const rocksdb::Status& status() const { return status_; }

 private:
  void keep(const rocksdb::Status& status) {
    if (status_.ok()) {
      status_ = status;
    }
  }

  const Database& database_;
  rocksdb::WriteBatch& out_;
  rocksdb::Status status_;
};

// The only user of RocksDB.
class RocksStore final : public Store {
 public:
  RocksStore(const Options& options, DatabasePtr database)
      : options_(options), database_(std::move(database)) {}
  ~RocksStore() override;

  // Refuses a folder that is not as it was left, and leaves it so.
  Status check();
  Result<std::optional<Bytes>> get(Family family, BytesView key,
                                   const SnapshotPtr& snapshot) const override;
  std::vector<Result<std::optional<Bytes>>> multi_get(Family family, const std::vector<Bytes>& keys,
                                                      const SnapshotPtr& snapshot) const override;
  Status commit(Batch batch, Sync sync) override;
  Status recover() override;
  SnapshotPtr snapshot() const override;
  std::unique_ptr<Cursor> cursor(Family family, BytesView prefix,
                                 const SnapshotPtr& snapshot) const override;
  std::unique_ptr<Cursor> range(Family family, BytesView first, BytesView last,
                                const SnapshotPtr& snapshot) const override;
  Status drop_all(Family family) override;
  Status replace(const Replacement& what, const Store& from) override;
  Status compact(Family family) override;
  Status checkpoint(const fs::path& directory) const override;
  Status flush() override;
  Stats stats() const override;

 private:
  Status check_format();
  Status write_format(std::string_view doing);
  Status check_synced();
  rocksdb::DB& db() const { return *database_->db; }
  rocksdb::ColumnFamilyHandle* handle(Family f) const { return database_->handle(f); }
  Error error(const rocksdb::Status& status, std::string_view what) const {
    return error_from(status, what, database_->path);
  }

  const Options options_;
  const DatabasePtr database_;
  bool usable_ = false;
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> synced_commits_{0};
  std::atomic<uint64_t> sync_nanoseconds_{0};
  std::atomic<bool> broken_{false};  // the last write failed
  std::mutex writing_;
  SyncedMark synced_;  // under writing_
};

Status RocksStore::check() {
  TRY_VOID(check_synced());
  TRY_VOID(check_format());
  usable_ = true;
  return {};
}

// Reads or writes the version of the layout.
Status RocksStore::check_format() {
  std::string text;
  const auto status = db().Get({}, handle(Family::Meta), slice(kFormatKey), &text);
  if (status.ok()) {
    const auto version = std::strtoul(text.c_str(), nullptr, 10);
    if (version > kFormatVersion) {
      return fail(newer_format(options_.path, fmt::format("format {}", version)));
    }
    return {};
  }
  if (!status.IsNotFound()) {
    return fail(error(status, "opening"));
  }
  if (options_.read_only) {
    return fail(Code::Corrupt, "the data folder {} has no format version", options_.path.string());
  }
  return write_format("opening");
}

Status RocksStore::write_format(std::string_view doing) {
  rocksdb::WriteOptions write;
  write.sync = true;
  const auto written =
      db().Put(write, handle(Family::Meta), slice(kFormatKey), std::to_string(kFormatVersion));
  if (!written.ok()) {
    return fail(error(written, doing));
  }
  return {};
}

// Nothing that was acknowledged may be missing.
Status RocksStore::check_synced() {
  const uint64_t synced = SyncedMark::read(options_.path);
  const uint64_t found = db().GetLatestSequenceNumber();
  if (found < synced) {
    Error lost(
        Code::Corrupt,
        fmt::format("the data folder {} has lost changes that were written and acknowledged: its "
                    "log is damaged or cut short (it ends at record {} of {}); restore the folder "
                    "from a backup, or move it away and let this peer sync again from the others. "
                    "'state export' still reads what is left; without the file {} the peer goes "
                    "on with that",
                    options_.path.string(), found, synced, SyncedMark::kFile));
    if (!options_.read_only) {
      return fail(std::move(lost));
    }
    log_warn("store", "{}", lost.message());
  }
  if (!options_.read_only) {
    synced_.open(options_.path, found);
  }
  return {};
}

RocksStore::~RocksStore() {
  // Little in memory is cheaper to replay at the next start than to write as many small tables now.
  if (usable_ && !options_.read_only &&
      database_->layout.write_buffers->memory_usage() > (4U << 20)) {
    flush()
        .map_error([](const Error& e) {
          log_warn("store", "not flushed at close, the log has it: {}", e.message());
          return e;
        })
        .has_value();
  }
}

Result<std::optional<Bytes>> RocksStore::get(Family family, BytesView key,
                                             const SnapshotPtr& snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = raw(snapshot);
  Bytes value;
  const auto status = db().Get(options, handle(family), slice(key), &value);
  if (status.IsNotFound()) {
    return std::optional<Bytes>();
  }
  if (!status.ok()) {
    return fail(error(status, "reading"));
  }
  return std::optional<Bytes>(std::move(value));
}

std::vector<Result<std::optional<Bytes>>> RocksStore::multi_get(Family family,
                                                                const std::vector<Bytes>& keys,
                                                                const SnapshotPtr& snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = raw(snapshot);
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const auto& key : keys) {
    slices.push_back(slice(key));
  }
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db().MultiGet(options, handle(family), keys.size(), slices.data(), values.data(),
                statuses.data());
  std::vector<Result<std::optional<Bytes>>> out;
  out.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      out.emplace_back(std::optional<Bytes>(values[i].ToString()));
    } else if (statuses[i].IsNotFound()) {
      out.emplace_back(std::optional<Bytes>());
    } else {
      out.emplace_back(fail(error(statuses[i], "reading")));
    }
  }
  return out;
}

Status RocksStore::commit(Batch batch, Sync sync) {
  const uint64_t n = commits_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (options_.commit_hook) {
    TRY_VOID(options_.commit_hook(CommitPoint::Before, n));
  }
  if (options_.read_only) {
    return fail(Code::Conflict, "the data folder {} is open for reading only",
                options_.path.string());
  }
  if (database_->layout.write_buffers->memory_usage() > options_.memory_budget / 2) {
    // The disk is slower than the writers; they wait here rather than fill the memory.
    TRY_VOID(flush());
  }
  rocksdb::WriteBatch writes(batch.bytes() + 64);
  ToRocks to_rocks(*database_, writes);
  batch.replay(to_rocks);
  auto status = to_rocks.status();
  if (status.ok()) {
    rocksdb::WriteOptions options;
    options.sync = sync == Sync::Yes;
    // One at a time: the sequence number is then that of these changes, or of older ones.
    const std::lock_guard lock(writing_);
    const auto start = std::chrono::steady_clock::now();
    status = db().Write(options, &writes);
    if (options.sync && status.ok()) {
      synced_.set(db().GetLatestSequenceNumber());
      const auto took = std::chrono::steady_clock::now() - start;
      synced_commits_.fetch_add(1, std::memory_order_relaxed);
      sync_nanoseconds_.fetch_add(static_cast<uint64_t>(std::chrono::nanoseconds(took).count()),
                                  std::memory_order_relaxed);
    }
  }
  if (!status.ok()) {
    broken_.store(true, std::memory_order_relaxed);
    return fail(error(status, "writing to"));
  }
  broken_.store(false, std::memory_order_relaxed);
  if (options_.commit_hook) {
    return options_.commit_hook(CommitPoint::After, n);
  }
  return {};
}

Status RocksStore::recover() {
  if (!broken_.load(std::memory_order_relaxed)) {
    return {};
  }
  // After most errors RocksDB refuses everything until it is told to try again, and after some, as
  // one of the log, also then: what it has in memory may not be what the log has.
  const std::lock_guard lock(writing_);
  const auto status = db().Resume();
  if (!status.ok()) {
    const bool for_good = status.severity() >= rocksdb::Status::Severity::kFatalError;
    Error refused = error(status, "writing to");
    if (for_good && status.IsIOError() && takes_writes(options_.path)) {
      return fail(Code::Closed,
                  "{}; the disk works again: start this peer anew, nothing acknowledged is lost",
                  refused.message());
    }
    return fail(std::move(refused));
  }
  TRY_VOID(write_format("writing to"));  // whether it really can be written to
  log_info("store", "the data folder {} can be written to again", options_.path.string());
  broken_.store(false, std::memory_order_relaxed);
  return {};
}

SnapshotPtr RocksStore::snapshot() const {
  return std::make_shared<const RocksSnapshot>(database_);
}

std::unique_ptr<Cursor> RocksStore::cursor(Family family, BytesView prefix,
                                           const SnapshotPtr& snapshot) const {
  // A walk over a whole family would push everything else out of the small cache.
  return make_cursor(database_, family, Bytes(prefix), prefix_end(prefix), !prefix.empty(),
                     snapshot);
}

std::unique_ptr<Cursor> RocksStore::range(Family family, BytesView first, BytesView last,
                                          const SnapshotPtr& snapshot) const {
  // Ranges are pieces of a walk.
  return make_cursor(database_, family, Bytes(first), Bytes(last) + '\0', false, snapshot);
}

Status RocksStore::drop_all(Family family) {
  auto last = cursor(family, {}, nullptr);
  last->seek_last();
  if (!last->valid()) {
    return last->status();
  }
  // One record hides everything; the space comes back when the tables are next merged, which is
  // asked for here.
  const Bytes end = Bytes(last->key()) + '\0';
  last.reset();
  Batch batch;
  batch.del_range(family, {}, end);
  TRY_VOID(commit(std::move(batch), Sync::Yes));
  const rocksdb::Slice to = slice(end);
  rocksdb::experimental::SuggestCompactRange(&db(), handle(family), nullptr, &to)
      .PermitUncheckedError();
  return {};
}

Status RocksStore::replace(const Replacement& what, const Store& from) {
  const uint64_t n = commits_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (options_.commit_hook) {
    TRY_VOID(options_.commit_hook(CommitPoint::Before, n));
  }
  TRY_VOID(replace_content(*database_, what, from));
  if (const std::lock_guard lock(writing_); db().SyncWAL().ok()) {
    synced_.set(db().GetLatestSequenceNumber());
  }
  if (options_.commit_hook) {
    return options_.commit_hook(CommitPoint::After, n);
  }
  return {};
}

Status RocksStore::compact(Family family) {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto status = db().CompactRange(options, handle(family), nullptr, nullptr);
  if (!status.ok()) {
    return fail(error(status, "compacting"));
  }
  return {};
}

Status RocksStore::checkpoint(const fs::path& directory) const {
  rocksdb::Checkpoint* raw = nullptr;
  auto status = rocksdb::Checkpoint::Create(&db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (status.ok()) {
    // Below this much log, the log is copied instead of flushing every family into a table.
    status = checkpoint->CreateCheckpoint(directory.string(), /*log_size_for_flush=*/1 << 20);
  }
  if (!status.ok()) {
    return fail(Code::Io, "checkpoint of {} to {}: {}", options_.path.string(), directory.string(),
                status.ToString());
  }
  return {};
}

Status RocksStore::flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> all(database_->handles.begin(),
                                                database_->handles.end());
  const auto status = db().Flush({}, all);
  if (!status.ok()) {
    return fail(error(status, "flushing"));
  }
  return {};
}

Stats RocksStore::stats() const {
  Stats stats;
  for (size_t i = 0; i < kFamilies; ++i) {
    auto* handle = database_->handles[i];
    FamilyStats& family = stats.families[i];
    db().GetIntProperty(handle, rocksdb::DB::Properties::kEstimateNumKeys, &family.keys_estimate);
    db().GetIntProperty(handle, rocksdb::DB::Properties::kTotalSstFilesSize, &family.disk_bytes);
  }
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(options_.path, ec)) {
    std::error_code gone;  // a compaction may have removed it meanwhile
    const auto size = entry.file_size(gone);
    stats.disk_bytes += gone ? 0 : size;
  }
  // Write buffers are charged to the cache.
  stats.memory_bytes = database_->layout.cache->GetUsage();
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.synced_commits = synced_commits_.load(std::memory_order_relaxed);
  stats.sync_seconds = static_cast<double>(sync_nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  stats.stalls = database_->layout.stalls->load(std::memory_order_relaxed);
  return stats;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  TRY_VOID(check_folder(options.path, options.read_only));
  auto database = std::make_shared<Database>();
  database->path = options.path;
  database->layout = make_layout(options.memory_budget);
  TRY_VOID(check_families(options, database->layout));

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (size_t i = 0; i < kFamilies; ++i) {
    descriptors.emplace_back(rocks_name(i), database->layout.families[i]);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const std::string path = options.path.string();
  rocksdb::Status status;
  if (options.read_only) {
    // The owner removes files that it has merged into others. All are opened at once, because an
    // open file stays readable, and a list of files that is out of date by then is read again.
    database->layout.db.max_open_files = -1;
    for (int attempt = 0; attempt < kReadOnlyAttempts; ++attempt) {
      status = rocksdb::DB::OpenForReadOnly(database->layout.db, path, descriptors, &handles, &db);
      if (status.ok() || status.ToString().find(kNoSuchFile) == std::string::npos) {
        break;
      }
    }
  } else {
    status = rocksdb::DB::Open(database->layout.db, path, descriptors, &handles, &db);
  }
  if (!status.ok()) {
    return fail(error_from(status, "opening", options.path));
  }
  database->db.reset(db);
  std::copy(handles.begin(), handles.end(), database->handles.begin());

  auto store = std::make_unique<RocksStore>(options, std::move(database));
  TRY_VOID(store->check());
  return std::unique_ptr<Store>(std::move(store));
}

bool is_incomplete(const Error& error) {
  return error.code() == Code::Corrupt && error.message().find(kNoSuchFile) != std::string::npos;
}

Status salvage(const fs::path& path) {
  auto layout = make_layout(kSalvageMemory);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (size_t i = 0; i < kFamilies; ++i) {
    descriptors.emplace_back(rocks_name(i), layout.families[i]);
  }
  const auto status = rocksdb::RepairDB(path.string(), layout.db, descriptors);
  if (!status.ok()) {
    return fail(error_from(status, "repairing", path));
  }
  SyncedMark::remove(path);  // it counted what is not all there any more
  return {};
}

Status copy_to(const Store& from, const Options& to) {
  TRY(const auto target, Store::open(to));
  const auto snapshot = from.snapshot();
  for (size_t i = 0; i < kFamilies; ++i) {
    const auto family = static_cast<Family>(i);
    auto cursor = from.cursor(family, {}, snapshot);
    Batch batch;
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      batch.put(family, cursor->key(), cursor->value());
      if (batch.bytes() >= kCopyBytes) {
        TRY_VOID(target->commit(std::move(batch), Sync::No));
        batch = Batch();
      }
    }
    TRY_VOID(cursor->status());
    TRY_VOID(target->commit(std::move(batch), Sync::Yes));
  }
  return target->flush();
}

}  // namespace ica::store
