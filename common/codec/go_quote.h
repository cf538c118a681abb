#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ica {

// Text as Go's %q prints it, for error messages that repeat the input: "a\"b\x00", and 'x' for one
// rune. Invalid UTF-8 comes out as \x escapes, unprintable code points as \u or \U escapes.
std::string go_quote(std::string_view text);
std::string go_quote_rune(uint32_t rune);

}  // namespace ica
