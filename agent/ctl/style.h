#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ica::ctl {

// What makes output pleasant on a terminal, and is left out everywhere else. Thread-safety: pure
// functions.

enum class Colour { Red, Green, Yellow, Faint, Bold };
std::string colour(std::string_view text, Colour colour);

// Colours the status words (PINNED, PIN_ERROR, ...) in lines that format_global_pin_info wrote.
std::string colour_statuses(std::string_view text);

// `text` in at most `width` columns, with an ellipsis in the place of what had to go.
std::string fit(std::string_view text, size_t width);

// Rows of cells as aligned columns in at most `width` columns (0: as wide as needed): the widest
// column gives way. The first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows, size_t width);

}  // namespace ica::ctl
