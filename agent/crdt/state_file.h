#pragma once

#include <cstdint>
#include <iosfwd>

#include "agent/store/store.h"
#include "common/base/result.h"

namespace ica::crdt {

// Writes the pinset of one moment as `state export` does and the reference too: one pin a line, as
// JSON. A pin at a time, so that it also works beside a running peer. Gives the number of pins.
// Errors: Corrupt, Io (also when `out` fails).
Result<uint64_t> export_state(const store::Store& store, std::ostream& out);

}  // namespace ica::crdt
