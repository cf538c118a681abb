#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica::store {

// The column families, architecture page section 4. docs/pinset.md and docs/tracking.md have keys
// and values.
enum class Family : uint8_t {
  Meta,
  Blocks,
  Elems,
  Tombs,
  Heads,
  Work,
  Pins,
  ByPeer,
  ByExpiry,
  ByStatus,
  ByName,
  Status,
  Queue,
  IpfsPins,
  Events,
};
inline constexpr size_t kFamilies = 15;
std::string_view to_string(Family family);

// Changes that become visible and durable together or not at all. Thread-safety: none.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  void put(Family family, BytesView key, BytesView value);
  void del(Family family, BytesView key);
  // [from, to)
  void del_range(Family family, BytesView from, BytesView to);
  bool empty() const;
  size_t bytes() const;  // size of what will be written
  // Adds all of `other` behind what is here.
  void append(const Batch& other);
  void clear();

  // Takes the changes one by one.
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void put(Family family, BytesView key, BytesView value) = 0;
    virtual void del(Family family, BytesView key) = 0;
    virtual void del_range(Family family, BytesView from, BytesView to) = 0;
  };
  // In the order of the calls that made them.
  void replay(Handler& handler) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A consistent view of the whole database at one moment; cheap to take, keeps old data alive while
// it lives, so do not hold one for hours. Thread-safety: readable from any thread.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Walks keys in byte order. Views stay valid until the next move. Thread-safety: none.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void seek(BytesView key) = 0;  // first key >= `key`
  virtual void seek_first() = 0;
  virtual void seek_last() = 0;
  virtual void next() = 0;
  virtual void prev() = 0;
  virtual bool valid() const = 0;
  virtual BytesView key() const = 0;
  virtual BytesView value() const = 0;
  // Not ok when the walk ended because of damage or a disk error: always check after the last item.
  virtual Status status() const = 0;
};

enum class Sync { No, Yes };

// Where a commit stands when the fault injection of the tests is asked.
enum class CommitPoint { Before, After };

struct Options {
  std::filesystem::path path;
  // All that the store may hold in memory: block cache, write buffers and the work around them.
  size_t memory_budget = 64 << 20;
  // Takes no lock, so it also works beside a running peer; sees what was on disk when it was
  // opened, to the end.
  bool read_only = false;
  // For tests: called around the n-th commit (from 1). An error given Before makes the commit fail
  // with it; it may also end the process.
  std::function<Status(CommitPoint point, uint64_t n)> commit_hook = {};
};

struct FamilyStats {
  uint64_t keys_estimate = 0;
  uint64_t disk_bytes = 0;
};
struct Stats {
  std::array<FamilyStats, kFamilies> families;
  uint64_t disk_bytes = 0;
  uint64_t memory_bytes = 0;  // cache and write buffers in use
  uint64_t commits = 0;
  uint64_t synced_commits = 0;
  double sync_seconds = 0;  // total time in synced commits
  uint64_t stalls = 0;
};

// What replace() puts into the place of something else.
struct Replacement {
  std::vector<Family> families;                // as a whole
  std::vector<std::pair<Family, Bytes>> keys;  // single records of other families
};

// The first key that is greater than every key with this prefix; empty when there is none.
Bytes prefix_end(BytesView prefix);

// Where everything that lasts is kept. open() gives the one on RocksDB; simulations have one in
// memory. Thread-safety: all methods from any thread; writers are serialised inside. Errors:
// Corrupt (damage; the sentence says what to do), Io (disk), Busy (another process has the lock),
// Unsupported (the folder's format is newer than this program).
class Store {
 public:
  static constexpr uint32_t kFormatVersion = 1;

  static Result<std::unique_ptr<Store>> open(const Options& options);
  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  virtual Result<std::optional<Bytes>> get(Family family, BytesView key,
                                           const SnapshotPtr& snapshot = nullptr) const = 0;
  virtual std::vector<Result<std::optional<Bytes>>> multi_get(
      Family family, const std::vector<Bytes>& keys,
      const SnapshotPtr& snapshot = nullptr) const = 0;
  virtual Status commit(Batch batch, Sync sync) = 0;
  // Whether changes can be written. After a commit that the disk refused this tries to make it
  // possible again, so it is to be asked now and then. Errors: Io (the disk still refuses; what was
  // read before can be read), Closed (the disk works again, and only a store that is opened anew
  // can write to it), Corrupt.
  virtual Status recover() = 0;
  virtual SnapshotPtr snapshot() const = 0;
  // Bounds: only keys that start with `prefix` (empty: the whole family).
  virtual std::unique_ptr<Cursor> cursor(Family family, BytesView prefix = {},
                                         const SnapshotPtr& snapshot = nullptr) const = 0;
  // Only keys from `first` to `last`, both included. Unlike with seek() on a cursor over
  // everything, long runs of deleted keys beside them are not stepped over.
  virtual std::unique_ptr<Cursor> range(Family family, BytesView first, BytesView last,
                                        const SnapshotPtr& snapshot = nullptr) const = 0;
  // Empties a family at once, whatever its size.
  virtual Status drop_all(Family family) = 0;
  // Puts what `from` holds into the place of what is here, in one synced step however much it is;
  // snapshots still see what was. Nobody else may write to these families meanwhile.
  virtual Status replace(const Replacement& what, const Store& from) = 0;
  // Rewrites a family so that what was deleted gives its space back. Takes as long as reading it.
  virtual Status compact(Family family) = 0;
  // A physical copy that can be opened by itself; hard links where possible.
  virtual Status checkpoint(const std::filesystem::path& directory) const = 0;
  virtual Status flush() = 0;
  virtual Stats stats() const = 0;
};

// Whether open() failed because files of the database are missing, as in a copy that was made file
// by file of one in use.
bool is_incomplete(const Error& error);
// Makes such a folder readable again. What it holds then is not consistent: older and newer records
// may stand beside each other, and some may be missing. Errors: Corrupt, Io.
Status salvage(const std::filesystem::path& path);

// A copy of everything that `from` holds at this moment, as a database of its own in a folder that
// does not exist yet. Also from a store that is open for reading only.
Status copy_to(const Store& from, const Options& to);

}  // namespace ica::store
