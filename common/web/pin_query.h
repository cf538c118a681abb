#pragma once

#include "common/api/pin.h"
#include "common/base/result.h"
#include "common/http/url.h"

namespace ica::web {

// Reads the pin options of a query in the reference's order into `out` and stops at the first bad
// one: what was read before it stays in force. Errors: InvalidArgument with the reference's words.
// `now` is the start of expire-in.
Status read_pin_options(const http::Query& query, Time now, api::PinOptions& out);

// A number of one query key, as Go's strconv.Atoi takes it; `out` is untouched when the key is
// empty.
Status read_int(const http::Query& query, std::string_view key, int& out);

}  // namespace ica::web
