#include "common/api/status.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto info = api::global_pin_info_from_json(input); info.has_value()) {
    const std::string json = api::to_json(*info);
    ICA_ASSERT(api::to_json(api::global_pin_info_from_json(json).value()) == json);
  }
  (void)api::parse_status_filter(input);
  (void)api::parse_tracker_status(input);
  (void)api::parse_pin_type_filter(input);
}
