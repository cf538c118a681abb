#pragma once

#include <cstddef>
#include <optional>

namespace ica::cmd {

// Returns free heap memory to the system, and the pages of program and libraries that are mapped
// now and only read: what is still needed comes back from the page cache at its next use, what only
// the start or a burst needed stays away. Takes a few milliseconds. Thread-safety: any thread.
void release_pages();

// Bytes of heap that are resident and belong to nobody: freed between what is in use. An estimate,
// from the resident pages without a file behind them and what the heap says is in use.
size_t freed_resident_bytes();

// Remembers how much of the heap was free and resident when pages were last released: what lies
// between blocks in use cannot be. Thread-safety: none.
class PageKeeper {
 public:
  // Releases pages the first time, and whenever much more is free than was left. True when it did.
  bool release_after_burst();

 private:
  std::optional<size_t> left_;
};

}  // namespace ica::cmd
