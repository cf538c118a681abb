#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// Errors of both: Io, with Go's words ("open /x: no such file or directory"); NotFound when the
// file does not exist. Thread-safety: any thread.

// The whole file. One of more than `limit` bytes fails with TooLarge before it is read.
Result<Bytes> read_file(const std::filesystem::path& path, size_t limit);

// Puts `data` in the place of what is there: written beside it, synced, renamed, and the folder
// synced. After a crash there is the old file or the new one, whole.
Status write_file(const std::filesystem::path& path, BytesView data, mode_t mode);

}  // namespace ica
