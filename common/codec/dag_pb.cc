#include "common/codec/dag_pb.h"

#include "common/codec/pbwire.h"

namespace ica {

namespace {

constexpr uint32_t kData = 1;
constexpr uint32_t kLinks = 2;
constexpr uint32_t kHash = 1;
constexpr uint32_t kName = 2;
constexpr uint32_t kTsize = 3;

tl::unexpected<Error> bad(std::string_view why) {
  return fail(Code::InvalidArgument, "invalid dag-pb: {}", why);
}

Result<DagPbLink> decode_link(BytesView message) {
  DagPbLink link;
  uint32_t last = 0;
  PbReader in(message);
  while (in.next()) {
    // Each field at most once and in ascending order.
    if (in.field() <= last) {
      return bad("link fields out of order");
    }
    last = in.field();
    switch (in.field()) {
      case kHash: {
        TRY(link.cid, Cid::from_bytes(in.bytes()));
        break;
      }
      case kName:
        link.name = Bytes(in.bytes());
        break;
      case kTsize:
        link.size = in.varint();
        break;
      default:
        return bad("unknown field in link");
    }
  }
  if (!in.ok()) {
    return bad("malformed link");
  }
  if (!link.cid.defined()) {
    return bad("link without a hash");
  }
  return link;
}

}  // namespace

Bytes encode_dag_pb(const DagPbNode& node) {
  Bytes out;
  size_t size = node.data.size() + 12;
  for (const DagPbLink& link : node.links) {
    size += link.cid.bytes().size() + link.name.size() + 24;
  }
  out.reserve(size);
  PbWriter w(out);
  for (const DagPbLink& link : node.links) {
    w.message(kLinks, [&](PbWriter& l) {
      l.bytes(kHash, link.cid.bytes()).bytes(kName, link.name).varint(kTsize, link.size);
    });
  }
  if (node.has_data) {
    w.bytes(kData, node.data);
  }
  return out;
}

Result<DagPbNode> decode_dag_pb(BytesView block) {
  DagPbNode node;
  PbReader in(block);
  bool links_ended = false;
  while (in.next()) {
    switch (in.field()) {
      case kData:
        if (node.has_data) {
          return bad("data appears twice");
        }
        node.data = Bytes(in.bytes());
        node.has_data = true;
        links_ended = !node.links.empty();
        break;
      case kLinks: {
        if (links_ended) {
          return bad("links on both sides of the data");
        }
        if (node.links.size() == kMaxDagPbLinks) {
          return fail(Code::TooLarge, "invalid dag-pb: more than {} links", kMaxDagPbLinks);
        }
        const BytesView message = in.bytes();
        if (!in.ok()) {
          return bad("malformed link");
        }
        TRY(DagPbLink link, decode_link(message));
        node.links.push_back(std::move(link));
        break;
      }
      default:
        return bad("unknown field");
    }
  }
  if (!in.ok()) {
    return bad("malformed protobuf");
  }
  return node;
}

}  // namespace ica
