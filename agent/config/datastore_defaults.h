#pragma once

#include <string>
#include <string_view>

namespace ica::config {

// The datastore section that the reference's init writes for pebble, leveldb, badger or badger3, as
// JSON. We do not use it; a folder made by us must be one that the reference starts from. Empty for
// other names.
std::string datastore_defaults(std::string_view name);

}  // namespace ica::config
