#pragma once

#include <cstddef>

namespace ica::cmd {

// Gives back the pages of program and libraries that are mapped now and only read: what is still
// needed comes back from the page cache at its next use, what only the start needed stays away.
// Also returns free heap memory to the system. Takes about a millisecond; meant for once, when the
// start is over. Returns how many bytes of address space it went over. Thread-safety: any thread.
size_t release_start_pages();

}  // namespace ica::cmd
