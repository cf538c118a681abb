#include "agent/store/store.h"

#include <chrono>
#include <fcntl.h>
#include <mutex>
#include <rocksdb/experimental.h>
#include <rocksdb/utilities/checkpoint.h>
#include <unistd.h>

#include "agent/store/batch_impl.h"
#include "agent/store/database.h"
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

std::string rocks_name(size_t family) {
  return std::string(family == 0 ? kMetaInRocksDb : kNames[family]);
}

rocksdb::Slice slice(BytesView b) {
  return {b.data(), b.size()};
}

// Who holds the lock on `file`, 0 when it is free or cannot be said.
pid_t lock_holder(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    return 0;
  }
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return held ? lock.l_pid : 0;
}

Error newer_format(const fs::path& path, std::string_view what) {
  return Error(Code::Unsupported,
               fmt::format("the data folder {} was written by a newer version of this program ({}; "
                           "this one knows format {}): start that version again, or export the "
                           "state with it and import it here",
                           path.string(), what, Store::kFormatVersion));
}

// What can be said before RocksDB touches anything.
Status check_folder(const fs::path& path, bool read_only) {
  std::error_code ec;
  const bool has_current = fs::exists(path / "CURRENT", ec);
  if (has_current) {
    return {};
  }
  if (fs::exists(path, ec)) {
    for (const auto& entry : fs::directory_iterator(path, ec)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("MANIFEST-") || name.ends_with(".sst")) {
        return fail(
            Code::Corrupt,
            "the data folder {} is damaged: the file CURRENT is missing; restore the folder "
            "from a backup, or move it away and let this peer sync again",
            path.string());
      }
    }
  }
  if (read_only) {
    return fail(Code::NotFound, "there is no data folder {}", path.string());
  }
  fs::create_directories(path, ec);
  if (ec) {
    return fail(Code::Io, "cannot make the data folder {}: {}", path.string(), ec.message());
  }
  return {};
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
  if (status.IsIOError() && text.find("No such file") != std::string::npos) {
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

struct Store::Impl {
  Options options;
  DatabasePtr database;
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> synced_commits{0};
  std::atomic<uint64_t> sync_nanoseconds{0};
  std::atomic<bool> broken{false};  // the last write failed

  rocksdb::DB& db() const { return *database->db; }
  rocksdb::ColumnFamilyHandle* handle(Family f) const { return database->handle(f); }
  Error error(const rocksdb::Status& status, std::string_view what) const {
    return error_from(status, what, database->path);
  }
  Status check_format();
};

// Reads or writes the version of the layout.
Status Store::Impl::check_format() {
  std::string text;
  const auto status = db().Get({}, handle(Family::Meta), slice(kFormatKey), &text);
  if (status.ok()) {
    const auto version = std::strtoul(text.c_str(), nullptr, 10);
    if (version > kFormatVersion) {
      return fail(newer_format(options.path, fmt::format("format {}", version)));
    }
    return {};
  }
  if (!status.IsNotFound()) {
    return fail(error(status, "opening"));
  }
  if (options.read_only) {
    return fail(Code::Corrupt, "the data folder {} has no format version", options.path.string());
  }
  rocksdb::WriteOptions write;
  write.sync = true;
  const auto written =
      db().Put(write, handle(Family::Meta), slice(kFormatKey), std::to_string(kFormatVersion));
  if (!written.ok()) {
    return fail(error(written, "opening"));
  }
  return {};
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
  // Little in memory is cheaper to replay at the next start than to write as many small tables now.
  if (!impl_->options.read_only &&
      impl_->database->layout.write_buffers->memory_usage() > (4U << 20)) {
    flush()
        .map_error([](const Error& e) {
          log_warn("store", "not flushed at close, the log has it: {}", e.message());
          return e;
        })
        .has_value();
  }
}

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
  const auto status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(database->layout.db, path, descriptors, &handles, &db)
          : rocksdb::DB::Open(database->layout.db, path, descriptors, &handles, &db);
  if (!status.ok()) {
    return fail(error_from(status, "opening", options.path));
  }
  database->db.reset(db);
  std::copy(handles.begin(), handles.end(), database->handles.begin());

  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->database = std::move(database);
  TRY_VOID(impl->check_format());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Result<std::optional<Bytes>> Store::get(Family family, BytesView key,
                                        const SnapshotPtr& snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot ? snapshot->get() : nullptr;
  Bytes value;
  const auto status = impl_->db().Get(options, impl_->handle(family), slice(key), &value);
  if (status.IsNotFound()) {
    return std::optional<Bytes>();
  }
  if (!status.ok()) {
    return fail(impl_->error(status, "reading"));
  }
  return std::optional<Bytes>(std::move(value));
}

std::vector<Result<std::optional<Bytes>>> Store::multi_get(Family family,
                                                           const std::vector<Bytes>& keys,
                                                           const SnapshotPtr& snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot ? snapshot->get() : nullptr;
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const auto& key : keys) {
    slices.push_back(slice(key));
  }
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  impl_->db().MultiGet(options, impl_->handle(family), keys.size(), slices.data(), values.data(),
                       statuses.data());
  std::vector<Result<std::optional<Bytes>>> out;
  out.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      out.emplace_back(std::optional<Bytes>(values[i].ToString()));
    } else if (statuses[i].IsNotFound()) {
      out.emplace_back(std::optional<Bytes>());
    } else {
      out.emplace_back(fail(impl_->error(statuses[i], "reading")));
    }
  }
  return out;
}

Status Store::commit(Batch batch, Sync sync) {
  const uint64_t n = impl_->commits.fetch_add(1, std::memory_order_relaxed) + 1;
  if (impl_->options.commit_hook) {
    TRY_VOID(impl_->options.commit_hook(CommitPoint::Before, n));
  }
  if (impl_->options.read_only) {
    return fail(Code::Conflict, "the data folder {} is open for reading only",
                impl_->options.path.string());
  }
  if (impl_->broken.exchange(false, std::memory_order_relaxed)) {
    // After a full disk RocksDB refuses everything until it is told to try again.
    impl_->db().Resume().PermitUncheckedError();
  }
  if (impl_->database->layout.write_buffers->memory_usage() > impl_->options.memory_budget / 2) {
    // The disk is slower than the writers; they wait here rather than fill the memory.
    TRY_VOID(flush());
  }
  rocksdb::WriteBatch writes(batch.bytes() + 64);
  auto status = batch.impl_->replay(impl_->database->handles, writes);
  if (status.ok()) {
    rocksdb::WriteOptions options;
    options.sync = sync == Sync::Yes;
    const auto start = std::chrono::steady_clock::now();
    status = impl_->db().Write(options, &writes);
    if (options.sync) {
      const auto took = std::chrono::steady_clock::now() - start;
      impl_->synced_commits.fetch_add(1, std::memory_order_relaxed);
      impl_->sync_nanoseconds.fetch_add(
          static_cast<uint64_t>(std::chrono::nanoseconds(took).count()), std::memory_order_relaxed);
    }
  }
  if (!status.ok()) {
    impl_->broken.store(true, std::memory_order_relaxed);
    return fail(impl_->error(status, "writing to"));
  }
  if (impl_->options.commit_hook) {
    return impl_->options.commit_hook(CommitPoint::After, n);
  }
  return {};
}

SnapshotPtr Store::snapshot() const {
  return std::make_shared<const Snapshot>(impl_->database);
}

std::unique_ptr<Cursor> Store::cursor(Family family, BytesView prefix,
                                      const SnapshotPtr& snapshot) const {
  return make_cursor(impl_->database, family, prefix, snapshot);
}

Status Store::drop_all(Family family) {
  auto last = cursor(family);
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
  rocksdb::experimental::SuggestCompactRange(&impl_->db(), impl_->handle(family), nullptr, &to)
      .PermitUncheckedError();
  return {};
}

Status Store::compact(Family family) {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto status = impl_->db().CompactRange(options, impl_->handle(family), nullptr, nullptr);
  if (!status.ok()) {
    return fail(impl_->error(status, "compacting"));
  }
  return {};
}

Status Store::checkpoint(const fs::path& directory) const {
  rocksdb::Checkpoint* raw = nullptr;
  auto status = rocksdb::Checkpoint::Create(&impl_->db(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (status.ok()) {
    // Below this much log, the log is copied instead of flushing every family into a table.
    status = checkpoint->CreateCheckpoint(directory.string(), /*log_size_for_flush=*/1 << 20);
  }
  if (!status.ok()) {
    return fail(Code::Io, "checkpoint of {} to {}: {}", impl_->options.path.string(),
                directory.string(), status.ToString());
  }
  return {};
}

Status Store::flush() {
  std::vector<rocksdb::ColumnFamilyHandle*> all(impl_->database->handles.begin(),
                                                impl_->database->handles.end());
  const auto status = impl_->db().Flush({}, all);
  if (!status.ok()) {
    return fail(impl_->error(status, "flushing"));
  }
  return {};
}

Stats Store::stats() const {
  Stats stats;
  for (size_t i = 0; i < kFamilies; ++i) {
    auto* handle = impl_->database->handles[i];
    FamilyStats& family = stats.families[i];
    impl_->db().GetIntProperty(handle, rocksdb::DB::Properties::kEstimateNumKeys,
                               &family.keys_estimate);
    impl_->db().GetIntProperty(handle, rocksdb::DB::Properties::kTotalSstFilesSize,
                               &family.disk_bytes);
  }
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(impl_->options.path, ec)) {
    std::error_code gone;  // a compaction may have removed it meanwhile
    const auto size = entry.file_size(gone);
    stats.disk_bytes += gone ? 0 : size;
  }
  // Write buffers are charged to the cache.
  stats.memory_bytes = impl_->database->layout.cache->GetUsage();
  stats.commits = impl_->commits.load(std::memory_order_relaxed);
  stats.synced_commits = impl_->synced_commits.load(std::memory_order_relaxed);
  stats.sync_seconds =
      static_cast<double>(impl_->sync_nanoseconds.load(std::memory_order_relaxed)) / 1e9;
  stats.stalls = impl_->database->layout.stalls->load(std::memory_order_relaxed);
  return stats;
}

}  // namespace ica::store
