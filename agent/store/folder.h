#pragma once

#include <filesystem>
#include <sys/types.h>

#include "common/base/result.h"

// The folder of a database, seen without RocksDB.
namespace ica::store {

// Who holds the lock on `file`, 0 when it is free or cannot be said.
pid_t lock_holder(const std::filesystem::path& file);

// Whether the disk takes what is written to it, beside the database's own files.
bool takes_writes(const std::filesystem::path& folder);

// What can be said before RocksDB touches anything; makes the folder unless it is only read.
// Errors: Corrupt (files are missing), NotFound (nothing to read), Io.
Status check_folder(const std::filesystem::path& path, bool read_only);

}  // namespace ica::store
