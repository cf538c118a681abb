#include "agent/p2p/mdns_message.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;
using namespace ica::p2p;

ICA_FUZZ(BytesView input) {
  auto packet = decode_mdns(input);
  if (!packet) {
    return;
  }
  ICA_ASSERT(packet->addresses.size() <= kMaxMdnsAddresses);
  auto again = decode_mdns(mdns_answer("abc", packet->addresses, {}));
  ICA_ASSERT(again.has_value());
  ICA_ASSERT(again->addresses.size() <= packet->addresses.size());
}
