#include "agent/crdt/history.h"

#include <algorithm>

#include "agent/crdt/delta.h"
#include "common/codec/pbwire.h"

namespace ica::crdt {

Bytes encode_history_request(const HistoryRequest& request) {
  Bytes out;
  PbWriter writer(out);
  for (const auto& digest : request.want) {
    writer.bytes(1, digest);
  }
  for (const auto& digest : request.have) {
    writer.bytes(2, digest);
  }
  writer.varint_or_skip(3, request.max_bytes);
  return out;
}

Result<HistoryRequest> decode_history_request(BytesView message) {
  HistoryRequest request;
  PbReader in(message);
  while (in.next()) {
    switch (in.field()) {
      case 1:
      case 2: {
        auto& list = in.field() == 1 ? request.want : request.have;
        const BytesView digest = in.bytes();
        if (digest.size() != kDigestBytes) {
          return fail(Code::InvalidArgument, "a digest of {} bytes", digest.size());
        }
        if (list.size() >= HistoryRequest::kMaxDigests) {
          return fail(Code::TooLarge, "more than {} digests in a list",
                      HistoryRequest::kMaxDigests);
        }
        list.emplace_back(digest);
        break;
      }
      case 3:
        request.max_bytes = in.varint();
        break;
    }
  }
  TRY_VOID(in.status());
  return request;
}

HistoryWalk::HistoryWalk(const Replica& replica, const HistoryRequest& request)
    : replica_(replica),
      first_(request.want),
      seen_(request.have.begin(), request.have.end()),
      bytes_left_(std::min(request.max_bytes, kMaxBytes)) {}

Status HistoryWalk::add(const Bytes& digest) {
  if (!seen_.insert(digest).second) {
    return {};
  }
  TRY(const auto height, replica_.height(digest));
  if (height) {
    frontier_.emplace(*height, digest);
  }
  return {};
}

Result<std::optional<Bytes>> HistoryWalk::next() {
  for (const auto& digest : std::exchange(first_, {})) {
    TRY_VOID(add(digest));
  }
  while (!frontier_.empty() && nodes_left_ > 0 && bytes_left_ > 0) {
    const Bytes digest = frontier_.top().second;
    frontier_.pop();
    TRY(auto block, replica_.block(digest));
    if (!block) {
      continue;  // a node that could not be read by anybody; it has no links either
    }
    TRY(const auto node, decode_node(*block));
    for (const auto& link : node.links) {
      TRY_VOID(add(link));
    }
    --nodes_left_;
    bytes_left_ -= std::min<uint64_t>(bytes_left_, block->size());
    return block;
  }
  return std::optional<Bytes>();
}

}  // namespace ica::crdt
