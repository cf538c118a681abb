#pragma once

#include "agent/store/database.h"

namespace ica::store {

// Store::replace() on RocksDB. The tables are written beside the database and then taken into all
// families by one record of its manifest: before it nothing has changed, behind it everything has.
// The caller keeps writers of these families away. Errors: Io, Corrupt, and those of `from`.
Status replace_content(Database& database, const Replacement& what, const Store& from);

}  // namespace ica::store
