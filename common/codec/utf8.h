#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ica {

// The code point at the front of `text` (not empty) and its length; 0 when the bytes there are not
// UTF-8 (which excludes surrogates and overlong forms).
size_t utf8_next(std::string_view text, uint32_t& rune);

bool valid_utf8(std::string_view text);

// Each invalid byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

}  // namespace ica
