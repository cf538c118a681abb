#pragma once

#include <map>
#include <vector>

#include "agent/crdt/overlay.h"
#include "agent/crdt/set_merge.h"
#include "agent/store/store.h"

namespace ica::crdt {

// Where the totals stand in the family Meta.
inline constexpr BytesView kTotalsKey = "crdt";

// What is known of the DAG beyond the single blocks; small, held in memory and written in the batch
// of each change.
//
// Nodes are merged from the newest to the oldest, so a merged node may have ancestors that are not
// here yet. All nodes reached from one announced head form a group until nothing of the group is
// missing; groups that meet become one. Only complete tips are heads: they are what we link to and
// announce, so that nobody is ever sent after a block that we could not follow ourselves.
struct Tip {
  uint64_t height = 0;
  uint64_t group = 0;                // 0: complete, that is, a head
  std::vector<uint64_t> covered_by;  // groups with a merged node that links to this head
  friend bool operator==(const Tip&, const Tip&) = default;
};

struct Group {
  uint64_t missing = 0;  // work items
  uint64_t into = 0;     // joined to this older group, which then has the count
  friend bool operator==(const Group&, const Group&) = default;
};

struct DagState {
  Totals totals;
  uint64_t height = 0;  // highest priority merged
  uint64_t blocks = 0;
  uint64_t work = 0;  // work items
  uint64_t next_group = 1;
  // Lowest priority merged since something is missing, 0 when nothing is. Not kept on disk.
  uint64_t synced_to = 0;
  std::map<Bytes, Tip> tips;  // by digest
  std::map<uint64_t, Group> groups;

  // The group that `id` has become part of; 0 when that one is complete.
  uint64_t find(uint64_t id) const;
  uint64_t join(uint64_t a, uint64_t b);
  // Nothing of the group is missing any more: its tips are heads, what they cover is none.
  void complete(uint64_t id);
  // Digests of the complete tips, ascending.
  std::vector<Bytes> heads() const;

  static Result<DagState> load(const store::Store& store);
  // Writes what differs from `before`.
  void save(const DagState& before, store::Batch& batch) const;
};

// A block that is wanted.
struct WorkItem {
  uint64_t group = 0;
  bool linked = false;  // a merged node links to it: it will never be a tip
};

Bytes work_key(BytesView digest);
Bytes encode_work(const WorkItem& item);
Result<WorkItem> decode_work(BytesView record);
Bytes processed_key(BytesView digest);
// A merged node with missing ancestors -> its group.
Bytes incomplete_key(BytesView digest);

}  // namespace ica::crdt
