#pragma once

#include <filesystem>
#include <mutex>
#include <optional>

#include "agent/crdt/local_pinset.h"
#include "agent/crdt/sync_driver.h"

namespace ica::cmd {

// Puts a new, short history into the place of the present one while the peer runs: freeze, build,
// commit, end. Reads go on all the time; from freeze to end changes of this peer wait, from build
// to end changes of others are not taken in, and come again later. What is on disk is the old
// history until commit and the new one from then on, whenever the process dies.
//
// Thread-safety: claim() from any thread; the rest by whoever claimed it, one call at a time.
class HistorySwitch {
 public:
  struct Needs {
    store::Store& store;
    crdt::Replica& replica;
    crdt::LocalPinset& pinset;
    crdt::SyncDriver& driver;
    Executor state;
    Executor disk;
    std::filesystem::path fresh;  // a folder for the new history until it is put into its place
  };
  explicit HistorySwitch(Needs needs);
  ~HistorySwitch();

  // One may work with it at a time; end() gives it back.
  bool claim();
  bool claimed() const;

  // When it returns, no change of this peer is under way.
  static Task<void> freeze(HistorySwitch* self);
  // Errors: Conflict (known changes are missing), Io, Corrupt.
  static Task<Result<crdt::Epoch>> build(HistorySwitch* self, crdt::Epoch next);
  static Task<Status> commit(HistorySwitch* self);
  // Changes go on, with whichever history there is now.
  static Task<void> release(HistorySwitch* self);
  // Releases, gives the space of what is not needed any more back, and then what claim() took.
  static Task<void> end(HistorySwitch* self);

 private:
  const Needs needs_;
  mutable std::mutex mutex_;
  bool claimed_ = false;
  bool sealed_ = false;
  bool changed_ = false;
  std::unique_ptr<store::Store> built_;
};

}  // namespace ica::cmd
