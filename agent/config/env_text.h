#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

// Texts of environment variables, read as Go's strconv and envconfig read them, with their errors.
namespace ica::config {

Result<bool> parse_bool(std::string_view text);
// Decimal, 0x, 0o, 0b or leading zero, underscores between digits.
Result<int64_t> parse_int(std::string_view text);
Result<uint64_t> parse_uint(std::string_view text);
Result<double> parse_float(std::string_view text);
// "a,b"; blank text is an empty list. Items are taken as they are.
std::vector<std::string> parse_list(std::string_view text);
// "k:v,k2:v2", in the order given.
Result<std::vector<std::pair<std::string, std::string>>> parse_map(std::string_view text);

}  // namespace ica::config
