#include "common/codec/multiaddr.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

namespace {

void check(const Multiaddr& address) {
  ICA_ASSERT(Multiaddr::from_bytes(address.bytes()).value() == address);
  ICA_ASSERT(!address.components().empty());
  (void)address.peer_id();
  (void)dial_target(address);
  (void)address.without_peer();
  (void)address.value_of("tcp");
}

}  // namespace

ICA_FUZZ(BytesView input) {
  if (const auto address = Multiaddr::parse(input); address.has_value()) {
    check(*address);
    // Text that we print is text that we read. (The other way round there is more than one
    // spelling.)
    ICA_ASSERT(Multiaddr::parse(address->text()).value() == *address);
  }
  if (const auto address = Multiaddr::from_bytes(input); address.has_value()) {
    check(*address);
    ICA_ASSERT(address->bytes() == input);
    (void)Multiaddr::parse(address->text());
  }
}
