#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "agent/crdt/replica.h"
#include "common/api/pin.h"

namespace ica::crdt {

// The file of `state export` and `state import`: one pin a line, as JSON, as the reference writes
// and reads it.

// Writes the pinset of one moment, a piece at a time, so that it also works beside a running peer.
// Thread-safety: none; may be used on another thread than the replica's.
class StateExporter {
 public:
  StateExporter(const store::Store& store, store::SnapshotPtr snapshot);
  // Whole lines of about `bytes`; empty at the end. Errors: Corrupt, Io.
  Result<std::string> next(size_t bytes);
  uint64_t pins() const { return pins_; }  // so far

 private:
  store::SnapshotPtr snapshot_;
  std::unique_ptr<store::Cursor> cursor_;
  uint64_t pins_ = 0;
};

// Reads the file in pieces of any size. Thread-safety: none.
class StateReader {
 public:
  static constexpr size_t kMaxLine = 4 << 20;
  // The pins of the lines that `piece` completes. Errors name the line: InvalidArgument, TooLarge.
  Result<std::vector<api::Pin>> feed(std::string_view piece);
  // The pin of a last line without its end.
  Result<std::vector<api::Pin>> finish();

 private:
  Status line(std::string_view text, std::vector<api::Pin>& out);
  std::string rest_;
  uint64_t line_ = 0;
};

// Writes everything. Errors: Io when `out` fails.
Result<uint64_t> export_state(const store::Store& store, std::ostream& out);

struct ImportOptions {
  // Keeps what is here: only CIDs that are not in the pinset are added. Without, the state is
  // emptied first (cleanup_state).
  bool merge = false;
  // Changes nothing, only counts.
  bool dry_run = false;
  // Applied to every pin that is read, for the flags that override factors and allocations.
  std::function<void(api::Pin&)> change;
};
struct ImportReport {
  uint64_t read = 0;
  uint64_t added = 0;      // not in the pinset before
  uint64_t unchanged = 0;  // there with the same content
  uint64_t kept = 0;       // there with another content, which stayed (merge)
};
// For a stopped peer. The whole file is read and checked before anything is changed, so a bad line
// leaves the state as it was; `in` must be seekable.
Result<ImportReport> import_state(store::Store& store, std::istream& in,
                                  const ImportOptions& options);

// Removes the pinset with its history, and what was derived from it, in one step; the space is
// given back at once. For a stopped peer.
Status cleanup_state(store::Store& store);

}  // namespace ica::crdt
