#pragma once

#include <string>
#include <string_view>

namespace ica::config {

// Lays compact, valid JSON out as Go's json.MarshalIndent does with an empty prefix: empty objects
// and arrays stay on one line, no line end after the last brace. <, > and & in texts come out
// escaped.
std::string go_indent(std::string_view json, std::string_view indent);

}  // namespace ica::config
