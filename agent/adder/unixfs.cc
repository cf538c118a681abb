#include "agent/adder/unixfs.h"

#include "common/codec/pbwire.h"
#include "common/codec/varint.h"
#include "common/crypto/hash.h"

namespace ica::adder {

namespace {

constexpr uint64_t kMurmur3 = 0x22;

Bytes multihash_of(uint64_t code, BytesView data) {
  auto hashed = make_multihash(code, data);
  ICA_ASSERT(hashed.has_value());  // check() has asked whether it can be computed
  return *std::move(hashed);
}

void write_type(PbWriter& w, UnixFsType type) {
  w.varint(1, static_cast<uint64_t>(type));  // required: written also when 0
}

}  // namespace

Result<CidBuilder> CidBuilder::create(int version, std::string_view hash_name) {
  if (version != 0 && version != 1) {
    return fail(Code::Internal, "bad CID Version: unknown CID version: {}", version);
  }
  CidBuilder builder;
  builder.version = version;
  const auto code = hash_code_by_name(hash_name);
  if (!code) {
    return fail(Code::Internal, "hash function name not known");
  }
  builder.hash_code = *code;
  return builder;
}

Status CidBuilder::check() const {
  if (version == 0 && hash_code != multicodec::kSha2_256) {
    return fail(Code::Internal, "invalid cid: invalid v0 prefix");
  }
  if (!can_hash(hash_code)) {
    return fail(Code::Unsupported,
                "invalid cid: unknown multihash code {} ({:#x}): no such hash registered",
                hash_code, hash_code);
  }
  return {};
}

Cid CidBuilder::dag_pb(BytesView block) const {
  const Bytes hashed = multihash_of(hash_code, block);
  return version == 0 ? Cid::make_v0(hashed) : Cid::make_v1(multicodec::kDagPb, hashed);
}

Cid CidBuilder::raw(BytesView block) const {
  return Cid::make_v1(multicodec::kRaw, multihash_of(hash_code, block));
}

Bytes dag_pb_leaf(UnixFsType type, Bytes content) {
  const size_t size = content.size() - kLeafFront;
  Bytes head;
  PbWriter w(head);
  write_type(w, type);
  if (size > 0) {
    head.push_back(2 << 3 | 2);
    append_varint(head, size);
  }
  Bytes tail;
  PbWriter(tail).varint(3, size);
  Bytes front;
  front.push_back(1 << 3 | 2);  // the node's data
  append_varint(front, head.size() + size + tail.size());
  front += head;
  ICA_ASSERT(front.size() <= kLeafFront);
  // All but small leaves fill the room, and nothing moves.
  content.replace(0, kLeafFront, front);
  content += tail;
  return content;
}

Bytes unixfs_file(uint64_t file_size, const std::vector<uint64_t>& block_sizes) {
  Bytes out;
  PbWriter w(out);
  write_type(w, UnixFsType::File);
  w.varint(3, file_size);
  for (const uint64_t size : block_sizes) {
    w.varint(4, size);
  }
  return out;
}

Bytes unixfs_directory() {
  Bytes out;
  PbWriter w(out);
  write_type(w, UnixFsType::Directory);
  return out;
}

Bytes unixfs_symlink(BytesView target) {
  Bytes out;
  PbWriter w(out);
  write_type(w, UnixFsType::Symlink);
  w.bytes(2, target);
  return out;
}

Bytes unixfs_hamt_shard(BytesView bitfield, uint64_t fanout) {
  Bytes out;
  PbWriter w(out);
  write_type(w, UnixFsType::HamtShard);
  w.bytes(2, bitfield);
  w.varint(5, kMurmur3);
  w.varint(6, fanout);
  return out;
}

std::optional<uint64_t> unixfs_file_size(BytesView dag_pb_block) {
  const auto node = decode_dag_pb(dag_pb_block);
  if (!node || !node->has_data) {
    return std::nullopt;
  }
  bool typed = false;
  uint64_t size = 0;
  PbReader in(node->data);
  while (in.next()) {
    if (in.field() == 1) {
      typed = true;
      static_cast<void>(in.varint());
    } else if (in.field() == 3) {
      size = in.varint();
    }
  }
  if (!in.ok() || !typed) {
    return std::nullopt;
  }
  return size;
}

Node emit_dag_pb(const CidBuilder& builder, DagPbNode node, uint64_t file_size,
                 const BlockSink& sink) {
  Node out;
  node.has_data = true;
  Bytes block = encode_dag_pb(node);
  out.size = block.size();
  for (const DagPbLink& link : node.links) {
    out.size += link.size;
  }
  out.file_size = file_size;
  out.cid = builder.dag_pb(block);
  sink({out.cid, std::move(block)});
  return out;
}

}  // namespace ica::adder
