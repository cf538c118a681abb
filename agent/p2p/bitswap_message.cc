#include "agent/p2p/bitswap_message.h"

#include "common/codec/multihash.h"
#include "common/codec/pbwire.h"
#include "common/codec/varint.h"
#include "common/crypto/hash.h"

namespace ica::p2p {
namespace {

Status decode_wantlist(BytesView bytes, const BitswapLimits& limits, BitswapMessage& out) {
  PbReader in(bytes);
  while (in.next()) {
    if (in.field() == 2) {
      out.full = in.boolean();
      continue;
    }
    if (in.field() != 1) {
      continue;
    }
    if (out.wants.size() >= limits.entries) {
      return fail(Code::TooLarge, "bitswap message with too many wants");
    }
    WantEntry entry;
    entry.priority = 0;
    BytesView cid;
    PbReader item(in.bytes());
    while (item.next()) {
      switch (item.field()) {
        case 1:
          cid = item.bytes();
          break;
        case 2:
          entry.priority = static_cast<int32_t>(item.varint());
          break;
        case 3:
          entry.cancel = item.boolean();
          break;
        case 4:
          entry.type = item.varint() == 1 ? WantType::Have : WantType::Block;
          break;
        case 5:
          entry.send_dont_have = item.boolean();
          break;
        default:
          break;
      }
    }
    TRY_VOID(item.status());
    if (auto parsed = Cid::from_bytes(cid)) {
      entry.cid = *std::move(parsed);
      out.wants.push_back(std::move(entry));
    }
  }
  return in.status();
}

Status decode_block(BytesView bytes, const BitswapLimits& limits, BitswapMessage& out) {
  if (out.blocks.size() >= limits.blocks) {
    return fail(Code::TooLarge, "bitswap message with too many blocks");
  }
  BitswapBlock block;
  PbReader in(bytes);
  while (in.next()) {
    if (in.field() == 1) {
      block.prefix = in.bytes();
    } else if (in.field() == 2) {
      block.data = in.bytes();
    }
  }
  TRY_VOID(in.status());
  if (block.prefix.size() > 40 || block.data.size() > limits.block_bytes) {
    return fail(Code::TooLarge, "bitswap block of {} bytes", block.data.size());
  }
  out.blocks.push_back(std::move(block));
  return {};
}

Status decode_presence(BytesView bytes, const BitswapLimits& limits, BitswapMessage& out) {
  if (out.presences.size() >= limits.presences) {
    return fail(Code::TooLarge, "bitswap message with too many presences");
  }
  BlockPresence presence;
  presence.have = true;  // type 0 is left out
  BytesView cid;
  PbReader in(bytes);
  while (in.next()) {
    if (in.field() == 1) {
      cid = in.bytes();
    } else if (in.field() == 2) {
      presence.have = in.varint() == 0;
    }
  }
  TRY_VOID(in.status());
  if (auto parsed = Cid::from_bytes(cid)) {
    presence.cid = *std::move(parsed);
    out.presences.push_back(std::move(presence));
  }
  return {};
}

}  // namespace

Bytes encode_bitswap(const BitswapMessage& message) {
  Bytes out;
  PbWriter w(out);
  // The list is always there, as in the reference's messages.
  w.message(1, [&](PbWriter& list) {
    for (const WantEntry& entry : message.wants) {
      list.message(1, [&](PbWriter& m) {
        m.bytes(1, entry.cid.bytes())
            .varint_or_skip(2, static_cast<uint64_t>(static_cast<int64_t>(entry.priority)))
            .varint_or_skip(3, entry.cancel ? 1 : 0)
            .varint_or_skip(4, entry.type == WantType::Have ? 1 : 0)
            .varint_or_skip(5, entry.send_dont_have ? 1 : 0);
      });
    }
    list.varint_or_skip(2, message.full ? 1 : 0);
  });
  for (const BitswapBlock& block : message.blocks) {
    w.message(3, [&](PbWriter& m) { m.bytes(1, block.prefix).bytes(2, block.data); });
  }
  for (const BlockPresence& presence : message.presences) {
    w.message(4, [&](PbWriter& m) {
      m.bytes(1, presence.cid.bytes()).varint_or_skip(2, presence.have ? 0 : 1);
    });
  }
  return out;
}

Result<BitswapMessage> decode_bitswap(BytesView bytes, const BitswapLimits& limits) {
  if (bytes.size() > kMaxBitswapFrame) {
    return fail(Code::TooLarge, "bitswap message of {} bytes", bytes.size());
  }
  BitswapMessage out;
  PbReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        TRY_VOID(decode_wantlist(in.bytes(), limits, out));
        break;
      case 3:
        TRY_VOID(decode_block(in.bytes(), limits, out));
        break;
      case 4:
        TRY_VOID(decode_presence(in.bytes(), limits, out));
        break;
      default:
        break;
    }
  }
  TRY_VOID(in.status());
  return out;
}

Bytes cid_prefix(const Cid& cid) {
  Bytes out;
  append_varint(out, static_cast<uint64_t>(cid.version()));
  append_varint(out, cid.codec());
  append_varint(out, cid.hash_code());
  const auto hash = decode_multihash(cid.multihash());
  append_varint(out, hash ? hash->digest.size() : 0);
  return out;
}

Result<Cid> cid_of_block(BytesView prefix, BytesView data) {
  TRY(const uint64_t version, read_varint(prefix));
  TRY(const uint64_t codec, read_varint(prefix));
  TRY(const uint64_t code, read_varint(prefix));
  TRY(const uint64_t length, read_varint(prefix));
  if (!prefix.empty() || version > 1) {
    return fail(Code::InvalidArgument, "bitswap block with a malformed prefix");
  }
  TRY(const Bytes hash, make_multihash(code, data));
  TRY(const auto decoded, decode_multihash(hash));
  if (decoded.digest.size() != length) {
    return fail(Code::Unsupported, "bitswap block with a digest of {} bytes", length);
  }
  if (version == 1) {
    return Cid::make_v1(codec, hash);
  }
  if (code != multicodec::kSha2_256) {
    return fail(Code::InvalidArgument, "bitswap block with a malformed prefix");
  }
  return Cid::make_v0(hash);
}

}  // namespace ica::p2p
