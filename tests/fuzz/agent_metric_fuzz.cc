#include "agent/cluster/peer_states.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto value = cluster::decode_agent(input);
  ICA_ASSERT(value.orders.size() <= cluster::PeerStates::kMaxOrders);
  const auto again = cluster::decode_agent(cluster::encode_agent(value));
  ICA_ASSERT(again.mode == value.mode && again.decides == value.decides);
  ICA_ASSERT(again.orders == value.orders);
  cluster::PeerStates states;
  states.adopt(value.orders, Time::from_unix(1'800'000'000));
  cluster::PeerStates loaded;
  loaded.load(states.encode());
  ICA_ASSERT(loaded.orders() == states.orders());
}
