#pragma once

#include <queue>
#include <set>
#include <vector>

#include "agent/crdt/replica.h"

namespace ica::crdt {

// Long histories go from one of our peers to another as one stream instead of a question and an
// answer for each node: "send what is below these nodes, as far as it is not below those". Nothing
// has to be believed: each node is named by the link to it, which came before. Peers of the
// reference are asked node by node.
struct HistoryRequest {
  static constexpr size_t kMaxDigests = 512;  // of either list

  std::vector<Bytes> want;  // wanted nodes, which come first
  std::vector<Bytes> have;  // nodes that the asker has with everything below them
  uint64_t max_bytes = 0;
};

Bytes encode_history_request(const HistoryRequest& request);
// Errors: InvalidArgument, TooLarge.
Result<HistoryRequest> decode_history_request(BytesView message);

// The nodes of an answer, from the highest to the lowest, so that a link is always seen before the
// node that it names. Memory and work per answer are bounded: the asker asks again from where it is
// then. Thread-safety: none; reads the replica from any thread.
class HistoryWalk {
 public:
  static constexpr uint64_t kMaxBytes = 32 << 20;
  static constexpr size_t kMaxNodes = 32'768;

  HistoryWalk(const Replica& replica, const HistoryRequest& request);
  // The next node; nothing at the end. Errors: Io, Corrupt.
  Result<std::optional<Bytes>> next();

 private:
  Status add(const Bytes& digest);

  const Replica& replica_;
  std::priority_queue<std::pair<uint64_t, Bytes>> frontier_;  // height, digest
  std::vector<Bytes> first_;
  std::set<Bytes> seen_;
  uint64_t bytes_left_;
  size_t nodes_left_ = kMaxNodes;
};

}  // namespace ica::crdt
