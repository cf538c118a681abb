#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica::p2p {

// The message of /ipfs/bitswap/1.2.0 (facts wire.md 5.4, vectors bitswap.json).

inline constexpr size_t kMaxBitswapFrame = 4 << 20;

enum class WantType { Block = 0, Have = 1 };

struct WantEntry {
  Cid cid;
  int32_t priority = 1;
  bool cancel = false;
  WantType type = WantType::Block;
  bool send_dont_have = false;
};

struct BitswapBlock {
  Bytes prefix;  // CID version, codec, hash function, length of the digest
  Bytes data;
};

struct BlockPresence {
  Cid cid;
  bool have = false;
};

struct BitswapMessage {
  std::vector<WantEntry> wants;
  bool full = false;  // `wants` replaces what was wanted before
  std::vector<BitswapBlock> blocks;
  std::vector<BlockPresence> presences;

  bool empty() const { return wants.empty() && !full && blocks.empty() && presences.empty(); }
};

struct BitswapLimits {
  size_t entries = 16'384;
  size_t blocks = 4'096;
  size_t presences = 16'384;
  size_t block_bytes = 2 << 20;
};

// Without the length prefix.
Bytes encode_bitswap(const BitswapMessage& message);
// Entries whose CID cannot be read are left out. Errors: InvalidArgument (malformed), TooLarge.
Result<BitswapMessage> decode_bitswap(BytesView bytes, const BitswapLimits& limits = {});

// The prefix of a CID, and the CID of data under a prefix. Errors: InvalidArgument, Unsupported (a
// hash function that we do not have, or a shortened digest).
Bytes cid_prefix(const Cid& cid);
Result<Cid> cid_of_block(BytesView prefix, BytesView data);

}  // namespace ica::p2p
