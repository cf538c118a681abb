#pragma once

#include "common/base/result.h"

namespace ica::cluster {

// The status with which the HTTP APIs answer an error of a use case: 404 for what is not in the
// pinset, 429 for a full queue, else 500.
int http_status_of(const Error& error);

}  // namespace ica::cluster
