#include "agent/config/env_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "common/codec/go_quote.h"

namespace ica::config {
namespace {

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

tl::unexpected<Error> syntax(std::string_view function, std::string_view text) {
  return fail(Code::InvalidArgument, "strconv.{}: parsing {}: invalid syntax", function,
              go_quote(text));
}

tl::unexpected<Error> range(std::string_view function, std::string_view text) {
  return fail(Code::InvalidArgument, "strconv.{}: parsing {}: value out of range", function,
              go_quote(text));
}

// Removes underscores where Go allows them: between digits, or between a base prefix and a digit.
bool strip_underscores(std::string_view digits, bool prefixed, std::string& out) {
  char before = prefixed ? '0' : '\0';  // a prefix counts as a digit
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_') {
      out += digits[i];
    } else if (before == '\0' || before == '_' || i + 1 == digits.size()) {
      return false;
    }
    before = digits[i];
  }
  return !out.empty();
}

Result<uint64_t> magnitude(std::string_view function, std::string_view text,
                           std::string_view digits) {
  int base = 10;
  bool prefixed = false;
  if (digits.size() > 1 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    const bool named = mark == 'x' || mark == 'o' || mark == 'b';
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits.remove_prefix(named ? 2 : 1);
    prefixed = true;
  }
  std::string plain;
  if (!strip_underscores(digits, prefixed, plain)) {
    return syntax(function, text);
  }
  uint64_t value = 0;
  const char* end = plain.data() + plain.size();
  const auto [stopped, error] = std::from_chars(plain.data(), end, value, base);
  if (error == std::errc::result_out_of_range) {
    return range(function, text);
  }
  if (error != std::errc() || stopped != end) {
    return syntax(function, text);
  }
  return value;
}

}  // namespace

Result<bool> parse_bool(std::string_view text) {
  for (const auto yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const auto no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) {
      return false;
    }
  }
  return syntax("ParseBool", text);
}

Result<uint64_t> parse_uint(std::string_view text) {
  return magnitude("ParseUint", text, text);
}

Result<int64_t> parse_int(std::string_view text) {
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits[0] == '-';
  if (negative || (!digits.empty() && digits[0] == '+')) {
    digits.remove_prefix(1);
  }
  TRY(const uint64_t value, magnitude("ParseInt", text, digits));
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  if (value > kMost + (negative ? 1 : 0)) {
    return range("ParseInt", text);
  }
  return negative ? static_cast<int64_t>(0 - value) : static_cast<int64_t>(value);
}

Result<double> parse_float(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits[0] == '+') {
    digits.remove_prefix(1);
    if (!digits.empty() && digits[0] == '-') {
      return syntax("ParseFloat", text);
    }
  }
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value);
  if (error == std::errc::result_out_of_range) {
    return range("ParseFloat", text);
  }
  if (error != std::errc() || stopped != end || !std::isfinite(value)) {
    return syntax("ParseFloat", text);
  }
  return value;
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> items;
  if (blank(text)) {
    return items;
  }
  for (;;) {
    const size_t comma = text.find(',');
    items.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      return items;
    }
    text.remove_prefix(comma + 1);
  }
}

Result<std::vector<std::pair<std::string, std::string>>> parse_map(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> items;
  for (const auto& item : parse_list(text)) {
    const size_t colon = item.find(':');
    if (colon == std::string::npos || item.find(':', colon + 1) != std::string::npos) {
      return fail(Code::InvalidArgument, "invalid map item: {}", go_quote(item));
    }
    items.emplace_back(item.substr(0, colon), item.substr(colon + 1));
  }
  return items;
}

}  // namespace ica::config
