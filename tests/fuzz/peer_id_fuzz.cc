#include "common/codec/peer_id.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto id = PeerId::parse(input); id.has_value()) {
    ICA_ASSERT(PeerId::from_bytes(id->bytes()).value() == *id);
  }
  if (const auto id = PeerId::from_bytes(input); id.has_value()) {
    ICA_ASSERT(id->bytes() == input);
    const std::string text = id->text();
    ICA_ASSERT(id->text() == text);  // once more, from the cache
    // Only IDs as keys make them have a text that begins as the reader expects.
    if (text.starts_with("1") || text.starts_with("Qm")) {
      ICA_ASSERT(PeerId::parse(text).value() == *id);
    }
  }
}
