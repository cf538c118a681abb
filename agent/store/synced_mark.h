#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace ica::store {

// Remembers beside the database how far its log was synced, because the log cannot tell: RocksDB
// opens one that breaks off in the middle, and has to, since a power loss may leave a half-written
// end. With the mark, an end that nobody was told of is known from changes that were acknowledged
// and are gone (a flipped bit, a truncated or lost log).
//
// The mark is written behind each sync and not synced itself: a death of the process leaves it
// exact, a power loss at most older, which only makes the check weaker. It counts for the file that
// it was written to and not for copies: in a copy of a folder in use, the log may well end earlier.
//
// Thread-safety: none.
class SyncedMark {
 public:
  static constexpr std::string_view kFile = "SYNCED";

  SyncedMark() = default;
  ~SyncedMark();
  SyncedMark(const SyncedMark&) = delete;
  SyncedMark& operator=(const SyncedMark&) = delete;

  // The sequence number that was synced last; 0 when the folder has no mark of its own.
  static uint64_t read(const std::filesystem::path& folder);
  // Starts to write marks. A folder where that is impossible goes without.
  void open(const std::filesystem::path& folder, uint64_t sequence);
  void set(uint64_t sequence);
  static void remove(const std::filesystem::path& folder);

 private:
  int fd_ = -1;
  std::string identity_;
};

}  // namespace ica::store
