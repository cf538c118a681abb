#include "common/base/time.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  if (const auto time = Time::parse(input); time.has_value()) {
    const auto again = Time::parse(time->rfc3339());
    ICA_ASSERT(again.has_value() && *again == *time);
    ICA_ASSERT(again->rfc3339() == time->rfc3339());
    (void)time->unix_nanos();
    (void)time->utc().local().since(Time());
  }
  if (const auto duration = parse_duration(input); duration.has_value()) {
    ICA_ASSERT(parse_duration(format_duration(*duration)).value() == *duration);
  }
}
