#include "common/codec/cid.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

// The input as text, as bytes, and as the front of more bytes.
ICA_FUZZ(BytesView input) {
  if (const auto cid = Cid::parse(input); cid.has_value()) {
    ICA_ASSERT(Cid::parse(cid->text()).value() == *cid);
  }
  if (const auto cid = Cid::from_bytes(input); cid.has_value()) {
    ICA_ASSERT(cid->bytes() == input);
    ICA_ASSERT(Cid::parse(cid->text()).value() == *cid);
    ICA_ASSERT(cid->version() == 0 || cid->version() == 1);
    ICA_ASSERT(!cid->multihash().empty());
    (void)cid->codec();
    (void)cid->hash_code();
  }
  BytesView rest = input;
  if (const auto cid = Cid::read_prefix(rest); cid.has_value()) {
    ICA_ASSERT(cid->bytes().size() + rest.size() == input.size());
    ICA_ASSERT(Cid::from_bytes(cid->bytes()).value() == *cid);
  } else {
    ICA_ASSERT(rest == input);
  }
}
