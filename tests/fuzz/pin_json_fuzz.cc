#include <nlohmann/json.hpp>

#include "common/api/peer.h"
#include "common/api/pin.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto pin = api::pin_from_json(input); pin.has_value()) {
    const std::string json = api::to_json(*pin);
    ICA_ASSERT(api::to_json(api::pin_from_json(json).value()) == json);
    const Bytes stored = api::encode_pin(*pin);
    ICA_ASSERT(api::encode_pin(api::decode_pin(pin->cid, stored).value()) == stored);
  }
  // Any bytes at all make a JSON string.
  std::string quoted;
  append_json_string(quoted, input);
  ICA_ASSERT(!nlohmann::json::parse(quoted, nullptr, false).is_discarded());
}
