// Bodies and list queries of the Pinning Services API: what is read and written again reads the
// same, and bounds hold.
#include "agent/pinsvc/list_query.h"
#include "tests/fuzz/fuzz.h"

ICA_FUZZ(ica::BytesView input) {
  if (const auto pin = ica::api::service_pin_from_json(input)) {
    ica::api::ServicePinStatus status;
    status.pin = *pin;
    if (pin->cid.defined()) {
      std::string text;
      ica::JsonWriter json(text);
      write_json(json, status);
      const size_t begin = text.find("\"pin\":") + 6;
      const size_t end = text.find(",\"delegates\":", begin);
      const auto again =
          ica::api::service_pin_from_json(std::string_view(text).substr(begin, end - begin));
      ICA_ASSERT(again.has_value());
      ICA_ASSERT(again->cid == pin->cid);
      ICA_ASSERT(again->origins.size() == pin->origins.size());
      ICA_ASSERT(again->meta.size() <= pin->meta.size());
    }
  }
  const auto query = ica::pinsvc::read_list_query(ica::http::Query(input));
  if (query) {
    ICA_ASSERT(query->limit <= ica::pinsvc::kMaxLimit);
    ICA_ASSERT(ica::api::fits_service_name(query->name));
    ICA_ASSERT(query->statuses <= ica::api::kAllServiceStatuses);
    (void)query->wants("name", {{"a", "b"}});
  }
}
