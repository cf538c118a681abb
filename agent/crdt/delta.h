#pragma once

#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica::crdt {

// What crosses the wire between peers: deltas, the DAG nodes that carry them, and announcements of
// heads. Byte for byte what go-ds-crdt v0.6.8 writes. All functions are pure.

// A block that is larger is neither made nor taken: bitswap messages end at 4 MiB.
inline constexpr size_t kMaxBlockBytes = (4 << 20) - 4096;
// New deltas stay below this, as the reference's do.
inline constexpr size_t kMaxDeltaBytes = 1 << 20;
// Entries of one delta and heads of one announcement.
inline constexpr size_t kMaxDeltaEntries = 1 << 18;
inline constexpr size_t kMaxAnnouncedHeads = 4096;
inline constexpr size_t kMaxKeyBytes = 8 << 10;

// One addition (key, value; the id is that of the block) or removal (key, id; no value). The views
// point into the buffer that was decoded, or to whatever the writer filled in.
struct Element {
  std::string_view key;
  std::string_view id;
  BytesView value;
};

struct Delta {
  std::vector<Element> elements;
  std::vector<Element> tombstones;
  uint64_t priority = 0;
};

Bytes encode_delta(const Delta& delta);
// Views into `data`. Errors: InvalidArgument.
Result<Delta> decode_delta(BytesView data);

// What one more entry adds to the size of a delta, at most.
inline size_t entry_size(size_t key, size_t id_or_value) {
  return key + id_or_value + 24;
}

// SHA-256 of a block: how blocks are named inside this part.
inline constexpr size_t kDigestBytes = 32;
Bytes block_digest(BytesView block);
// CIDv1, dag-pb, SHA-256.
Cid block_cid(BytesView digest);
// The digest of a CID that can name a DAG node; of any other one an error (InvalidArgument).
Result<Bytes> digest_of(const Cid& cid);

struct Node {
  std::vector<Bytes> links;  // digests of the parents, each once, ascending
  Bytes delta;               // encoded
};

// A block with a link to each of `links` and the delta as its data.
Bytes encode_node(const Node& node);
// Links to what cannot be a DAG node are left out. Errors: InvalidArgument, TooLarge.
Result<Node> decode_node(BytesView block);

// The pubsub message.
struct Broadcast {
  std::vector<Bytes> heads;  // digests, each once
  // Which history they are heads of: an epoch as it is encoded. Empty: one that was never begun
  // anew, or the peer is of the Go kind and cannot say. It stands inside the first head, where Go
  // peers leave unknown fields alone; beside the heads they take them for an older form.
  Bytes history;
};
Bytes encode_broadcast(const std::vector<Bytes>& digests, BytesView history = {});
// Heads that can be DAG nodes; also reads the older form, a bare CID. Errors: InvalidArgument,
// TooLarge.
Result<Broadcast> decode_broadcast(BytesView message);

}  // namespace ica::crdt
