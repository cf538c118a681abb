#include <algorithm>

#include "agent/crdt/delta.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto heads = crdt::decode_broadcast(input);
  if (!heads.has_value()) {
    return;
  }
  ICA_ASSERT(heads->size() <= crdt::kMaxAnnouncedHeads);
  ICA_ASSERT(std::is_sorted(heads->begin(), heads->end()));
  ICA_ASSERT(crdt::decode_broadcast(crdt::encode_broadcast(*heads)).value() == *heads);
}
