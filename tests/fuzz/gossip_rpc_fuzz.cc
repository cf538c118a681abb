#include "agent/p2p/gossip.h"
#include "agent/p2p/gossip_outbox.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;
using namespace ica::p2p;

ICA_FUZZ(BytesView input) {
  auto rpc = decode_rpc(input);
  if (!rpc) {
    return;
  }
  for (const GossipMessage& message : rpc->messages) {
    const auto id = message_id(message);
    ICA_ASSERT(id.has_value() == (message.from.size() >= 16));
    (void)signature_holds(message);
  }
  // Reading and writing once more changes nothing.
  const Bytes written = encode_rpc(*rpc);
  if (const auto again = decode_rpc(written)) {
    ICA_ASSERT(encode_rpc(*again) == written);
  }
  GossipOutbox outbox({.messages = 16, .bytes = 4096, .control = 64});
  outbox.push(*std::move(rpc), input.size() % 2 == 0);
  outbox.restart();
  while (!outbox.empty()) {
    outbox.take(1024);
  }
  ICA_ASSERT(outbox.bytes() == 0);
}
