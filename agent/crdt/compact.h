#pragma once

#include "agent/store/store.h"

namespace ica::crdt {

// Fills the empty store `to` with what `from` holds, but with a history that is as short as it can
// be: nodes that add the present values, and nothing else. They depend on the values alone, so
// peers with the same digest get the same nodes, heads included, without talking to each other.
// Everything that is not the pinset is copied.
//
// All peers of a cluster have to let go of the old history at the same time: one that keeps it
// brings it back, with what was removed since. Errors: Conflict (`from` is not in step: known
// changes are missing), Io, Corrupt.
Status copy_with_short_history(const store::Store& from, store::Store& to);

}  // namespace ica::crdt
