#include "agent/p2p/identify.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;
using namespace ica::p2p;

ICA_FUZZ(BytesView input) {
  IdentifyMessage message;
  if (!merge_identify(input, message)) {
    return;
  }
  ICA_ASSERT(message.protocols.size() <= kMaxIdentifyProtocols);
  ICA_ASSERT(message.listen_addresses.size() <= kMaxIdentifyAddresses);
  ICA_ASSERT(message.agent_version.size() <= kMaxIdentifyText);
  const PeerId peer = PrivateKey::from_seed(Bytes(32, '\1')).peer_id();
  ICA_ASSERT(identified_addresses(message, peer).size() <= kMaxIdentifyAddresses);
  // What we made of it survives.
  IdentifyMessage again;
  ICA_ASSERT(merge_identify(encode_identify(message), again).has_value());
  ICA_ASSERT(again.protocols == message.protocols);
  ICA_ASSERT(again.listen_addresses == message.listen_addresses);
  ICA_ASSERT(again.agent_version == message.agent_version);
}
