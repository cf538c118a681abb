#pragma once

#include "agent/crdt/epoch.h"
#include "agent/store/store.h"

namespace ica::crdt {

// Begins the history of a pinset anew: with nodes that add the present values, and nothing else.
// They depend on the values and on the height of the history before, so peers that are in step get
// the same nodes, heads included, without talking to each other. That height makes them differ from
// every node that ever was, and puts them above what a peer that comes late may still have.
//
// All peers of a cluster have to let go of the old history together: one that keeps it brings it
// back, with what was removed since. Against those that come late, nodes of the history just before
// stay known as merged, by their digests alone; announcements say which history they belong to.

// Fills the empty store `to` with the pinset of `from` and its short history, which has the number
// and the time of `next`; gives the rest of the epoch too. Nobody may write to the pinset
// meanwhile. Errors: Conflict (`from` is not in step: known changes are missing), Io, Corrupt.
Result<Epoch> write_short_history(const store::Store& from, store::Store& to, Epoch next);

// The same as the next history of a stopped peer; everything that is not the pinset is copied too.
Status copy_with_short_history(const store::Store& from, store::Store& to);

// What of such a store takes the place of the old history; the rest does not depend on it.
const store::Replacement& short_history_content();

}  // namespace ica::crdt
