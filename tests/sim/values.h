#pragma once

#include <map>
#include <string>

#include "agent/crdt/replica.h"

namespace ica::sim {

// The shared map: value and priority by key.
using Values = std::map<std::string, std::pair<Bytes, uint64_t>>;

// As a peer's records have it.
Values values_of(const store::Store& store);

// As the rules have it, computed in the simplest way from the nodes that the peer has merged: of
// the additions that no tombstone names, the one with the highest priority, then the greatest
// bytes.
Values values_by_rule(const store::Store& store);

// "" when both are the same, else both, one key a line.
std::string difference(const Values& a, const Values& b);

// Recomputes from the records what a replica counts as it goes; a Violation where they differ.
void check_totals(const store::Store& store, const crdt::PinsetInfo& info);

}  // namespace ica::sim
