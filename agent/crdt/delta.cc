#include "agent/crdt/delta.h"

#include <algorithm>
#include <sodium/crypto_hash_sha256.h>

#include "common/codec/dag_pb.h"
#include "common/codec/pbwire.h"

namespace ica::crdt {

namespace {

constexpr uint32_t kHistoryField = 100;            // of a head in an announcement; ours alone
constexpr char kMultihashPrefix[] = {0x12, 0x20};  // sha2-256, 32 bytes

void write_element(PbWriter& out, uint32_t field, const Element& element) {
  out.message(field, [&](PbWriter& e) {
    e.bytes_or_skip(1, element.key).bytes_or_skip(2, element.id).bytes_or_skip(3, element.value);
  });
}

Result<Element> read_element(BytesView message) {
  Element element;
  PbReader in(message);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        element.key = in.bytes();
        break;
      case 2:
        element.id = in.bytes();
        break;
      case 3:
        element.value = in.bytes();
        break;
    }
  }
  TRY_VOID(in.status());
  if (element.key.size() > kMaxKeyBytes || element.id.size() > kMaxKeyBytes) {
    return fail(Code::InvalidArgument, "a key of {} bytes", element.key.size() + element.id.size());
  }
  return element;
}

void sort_and_unite(std::vector<Bytes>& digests) {
  std::sort(digests.begin(), digests.end());
  digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
}

}  // namespace

Bytes encode_delta(const Delta& delta) {
  Bytes out;
  PbWriter writer(out);
  for (const auto& e : delta.elements) {
    write_element(writer, 1, e);
  }
  for (const auto& e : delta.tombstones) {
    write_element(writer, 2, e);
  }
  writer.varint_or_skip(3, delta.priority);
  return out;
}

Result<Delta> decode_delta(BytesView data) {
  Delta delta;
  PbReader in(data);
  while (in.next()) {
    switch (in.field()) {
      case 1:
      case 2: {
        auto& list = in.field() == 1 ? delta.elements : delta.tombstones;
        TRY(auto element, read_element(in.bytes()));
        if (delta.elements.size() + delta.tombstones.size() >= kMaxDeltaEntries) {
          return fail(Code::TooLarge, "a delta with more than {} entries", kMaxDeltaEntries);
        }
        list.push_back(element);
        break;
      }
      case 3:
        delta.priority = in.varint();
        break;
    }
  }
  TRY_VOID(in.status());
  return delta;
}

Bytes block_digest(BytesView block) {
  Bytes digest(kDigestBytes, '\0');
  crypto_hash_sha256(u8(digest), u8(block), block.size());
  return digest;
}

Cid block_cid(BytesView digest) {
  ICA_ASSERT(digest.size() == kDigestBytes);
  Bytes multihash(kMultihashPrefix, sizeof(kMultihashPrefix));
  multihash.append(digest);
  return Cid::make_v1(multicodec::kDagPb, multihash);
}

Result<Bytes> digest_of(const Cid& cid) {
  if (!cid.defined() || cid.codec() != multicodec::kDagPb) {
    return fail(Code::InvalidArgument, "{} is not a dag-pb block", cid);
  }
  const BytesView hash = cid.multihash();
  if (hash.size() != sizeof(kMultihashPrefix) + kDigestBytes ||
      !hash.starts_with(BytesView(kMultihashPrefix, sizeof(kMultihashPrefix)))) {
    return fail(Code::InvalidArgument, "{} is not named by SHA-256", cid);
  }
  return Bytes(hash.substr(sizeof(kMultihashPrefix)));
}

Bytes encode_node(const Node& node) {
  DagPbNode out;
  for (const auto& digest : node.links) {
    out.links.push_back({block_cid(digest), "", 0});
  }
  out.data = node.delta;
  out.has_data = true;
  return encode_dag_pb(out);
}

Result<Node> decode_node(BytesView block) {
  if (block.size() > kMaxBlockBytes) {
    return fail(Code::TooLarge, "a DAG node of {} bytes", block.size());
  }
  TRY(auto decoded, decode_dag_pb(block));
  Node node;
  node.links.reserve(decoded.links.size());
  for (const auto& link : decoded.links) {
    // A link to something else can never be followed; the node's own changes count all the same.
    if (auto digest = digest_of(link.cid)) {
      node.links.push_back(*std::move(digest));
    }
  }
  sort_and_unite(node.links);
  node.delta = std::move(decoded.data);
  return node;
}

Bytes encode_broadcast(const std::vector<Bytes>& digests, BytesView history) {
  Bytes out;
  PbWriter writer(out);
  for (const auto& digest : digests) {
    writer.message(1, [&](PbWriter& head) {
      head.bytes(1, block_cid(digest).bytes()).bytes_or_skip(kHistoryField, history);
    });
    history = {};
  }
  return out;
}

Result<Broadcast> decode_broadcast(BytesView message) {
  Broadcast out;
  auto& heads = out.heads;
  PbReader in(message);
  bool known = true;
  while (in.next()) {
    if (in.field() != 1) {
      known = false;
      break;
    }
    PbReader head(in.bytes());
    while (head.next()) {
      if (head.field() == 1) {
        TRY(const auto cid, Cid::from_bytes(head.bytes()));
        if (auto digest = digest_of(cid)) {
          heads.push_back(*std::move(digest));
        }
      } else if (head.field() == kHistoryField) {
        out.history = head.bytes();
      }
    }
    TRY_VOID(head.status());
    if (heads.size() > kMaxAnnouncedHeads) {
      return fail(Code::TooLarge, "more than {} heads in one announcement", kMaxAnnouncedHeads);
    }
  }
  if (!known || !in.ok()) {
    // Releases before 2021 sent the bytes of one CID, which as protobuf is field 0 or unknown
    // fields.
    TRY(const auto cid, Cid::from_bytes(message));
    TRY(auto digest, digest_of(cid));
    heads.assign(1, std::move(digest));
    out.history.clear();
    return out;
  }
  sort_and_unite(heads);
  return out;
}

}  // namespace ica::crdt
