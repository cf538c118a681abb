#include "agent/p2p/bitswap_message.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;
using namespace ica::p2p;

ICA_FUZZ(BytesView input) {
  const auto message = decode_bitswap(input);
  if (!message) {
    return;
  }
  for (const BitswapBlock& block : message->blocks) {
    if (const auto cid = cid_of_block(block.prefix, block.data)) {
      ICA_ASSERT(cid_of_block(cid_prefix(*cid), block.data).value() == *cid);
    }
  }
  const Bytes written = encode_bitswap(*message);
  if (const auto again = decode_bitswap(written)) {
    ICA_ASSERT(encode_bitswap(*again) == written);
  }
}
