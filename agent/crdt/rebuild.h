#pragma once

#include "agent/crdt/replica.h"

namespace ica::crdt {

struct RebuildReport {
  uint64_t found = 0;    // nodes in `from` that are what their name says
  uint64_t damaged = 0;  // records that are not
  uint64_t missing = 0;  // nodes that are linked to and not there; they are work of `to` now
};

// Merges all nodes of `from` into an empty replica. Nodes prove themselves, so `from` may be what a
// repair left of a damaged database; nothing else in it is looked at. State executor of `to`.
Result<RebuildReport> rebuild(const store::Store& from, Replica& to);

}  // namespace ica::crdt
