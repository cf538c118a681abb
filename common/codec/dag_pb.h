#pragma once

#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica {

struct DagPbLink {
  Cid cid;
  std::string name;
  uint64_t size = 0;  // cumulative size of what it points to
  friend bool operator==(const DagPbLink&, const DagPbLink&) = default;
};

// A dag-pb node. An absent Data and an empty one are different blocks.
struct DagPbNode {
  std::vector<DagPbLink> links;
  Bytes data;
  bool has_data = false;
  friend bool operator==(const DagPbNode&, const DagPbNode&) = default;
};

// Links first, then data, as everybody writes it; every link with its name and size, also when
// empty. The links are written in the order given (the format wants them sorted by name, stably).
Bytes encode_dag_pb(const DagPbNode& node);

// Takes links and data in either order, but not interleaved, and no unknown fields: the strict
// dag-pb of the specification, which is what gives a block one meaning. At most kMaxDagPbLinks
// links.
inline constexpr size_t kMaxDagPbLinks = 1 << 20;
Result<DagPbNode> decode_dag_pb(BytesView block);

}  // namespace ica
