#pragma once

#include <functional>
#include <istream>
#include <string>

#include "common/base/result.h"

namespace ica::cmd {

// Cuts a stream of JSON documents (one a line, or laid out in any way) into the documents. Each may
// have at most kMaxDocument bytes. Errors: InvalidArgument (not objects, or the input ends inside
// of one), TooLarge; the ones of `take` end the walk.
inline constexpr size_t kMaxDocument = 8 << 20;
Status each_json_object(std::istream& in, const std::function<Status(std::string)>& take);

}  // namespace ica::cmd
