#include <algorithm>

#include "agent/crdt/delta.h"
#include "agent/crdt/epoch.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto broadcast = crdt::decode_broadcast(input);
  if (!broadcast.has_value()) {
    return;
  }
  ICA_ASSERT(broadcast->heads.size() <= crdt::kMaxAnnouncedHeads);
  ICA_ASSERT(std::is_sorted(broadcast->heads.begin(), broadcast->heads.end()));
  // Without heads there is nothing that could carry the history.
  const Bytes history = broadcast->heads.empty() ? Bytes() : broadcast->history;
  const auto again = crdt::decode_broadcast(crdt::encode_broadcast(broadcast->heads, history));
  ICA_ASSERT(again.value().heads == broadcast->heads && again.value().history == history);
  const auto epoch = crdt::decode_epoch(broadcast->history);
  if (epoch.has_value()) {
    ICA_ASSERT(crdt::decode_epoch(crdt::encode_epoch(*epoch)).value() == *epoch);
  }
}
