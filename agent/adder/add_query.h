#pragma once

#include "agent/adder/adder.h"
#include "common/base/result.h"
#include "common/http/url.h"

namespace ica::adder {

struct AddRequest {
  AddOptions options;
  bool stream = true;  // a document a line as they come, instead of one array at the end
};

// The query of POST /add. Errors: InvalidArgument with the reference's words.
Result<AddRequest> read_add_query(const http::Query& query, Time now);

}  // namespace ica::adder
