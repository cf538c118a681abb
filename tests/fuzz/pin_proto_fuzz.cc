#include "common/api/pin.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  static const Cid cid =
      Cid::parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
  if (const auto pin = api::decode_pin(cid, input); pin.has_value()) {
    // Reading and writing once more changes nothing: the encoding is canonical.
    const Bytes stored = api::encode_pin(*pin);
    const auto again = api::decode_pin(cid, stored).value();
    ICA_ASSERT(api::encode_pin(again) == stored);
    ICA_ASSERT(api::to_json(again) == api::to_json(*pin));
  }
  if (const auto read = api::cid_from_state_key(input); read.has_value()) {
    ICA_ASSERT(api::cid_from_state_key(api::state_key(*read)).value() == *read);
  }
}
