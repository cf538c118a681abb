#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ica {

// The code point at the front of `text` (not empty) and its length; 0 when the bytes there are not
// UTF-8 (which excludes surrogates and overlong forms).
size_t utf8_next(std::string_view text, uint32_t& rune);

// `rune` must be a code point.
void utf8_append(std::string& out, uint32_t rune);

// The code points in lower case, each by itself (Unicode's simple mapping); bytes that are not
// UTF-8 stay.
std::string utf8_lower(std::string_view text);

bool valid_utf8(std::string_view text);

// Each invalid byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace ica
