#include "agent/crdt/delta.h"
#include "agent/crdt/records.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto delta = crdt::decode_delta(input);
  if (!delta.has_value()) {
    return;
  }
  const Bytes encoded = crdt::encode_delta(*delta);
  const auto again = crdt::decode_delta(encoded).value();
  ICA_ASSERT(crdt::encode_delta(again) == encoded);
  ICA_ASSERT(again.elements.size() == delta->elements.size());
  ICA_ASSERT(again.tombstones.size() == delta->tombstones.size());
  for (const auto& e : delta->elements) {
    // What is cleaned once stays as it is.
    const Bytes key = crdt::pack_key(e.key);
    ICA_ASSERT(crdt::pack_key(crdt::key_text(key)) == key);
  }
  for (const auto& e : delta->tombstones) {
    const Bytes id = crdt::pack_id(e.id);
    ICA_ASSERT(crdt::pack_id(crdt::id_text(id)) == id);
  }
}
