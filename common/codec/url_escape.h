#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace ica {

// Go's url.QueryEscape: letters, digits, - _ . ~ as they are, a space as +, all else as %XX.
void append_query_escaped(std::string& out, std::string_view text);
// As append_query_escaped, with a space as %20.
std::string percent_encode(std::string_view text);
// What Go's url.URL.EscapedPath leaves of a path: all but unreserved characters and $&+,/:;=@ as
// %XX.
std::string escape_path(std::string_view path);
// Go's url.QueryUnescape ('+' is a space) and url.PathUnescape, and their error:
// `invalid URL escape "%zz"`.
Result<std::string> query_unescape(std::string_view text);
Result<std::string> path_unescape(std::string_view text);

}  // namespace ica
