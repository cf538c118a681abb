#include "tests/fuzz/fuzz.h"
#include "tests/unit/adder/parts.h"

using namespace ica;

// Multipart bodies: where they are cut must not matter. The first byte says how.
ICA_FUZZ(BytesView input) {
  if (input.empty() || input.size() > 16384) {
    return;
  }
  const std::string body(input.substr(1));
  const size_t step = static_cast<uint8_t>(input[0]) % 64 + 1;
  ICA_ASSERT(adder::testing::parse(body, body.size() + 1) == adder::testing::parse(body, step));
}
