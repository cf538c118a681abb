#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace ica {

// Go's url.QueryEscape: letters, digits, - _ . ~ as they are, a space as +, all else as %XX.
void append_query_escaped(std::string& out, std::string_view text);
// Go's url.QueryUnescape, and its error: `invalid URL escape "%zz"`.
Result<std::string> query_unescape(std::string_view text);

}  // namespace ica
