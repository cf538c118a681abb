#include "common/codec/go_quote.h"

#include <fmt/format.h>
#include <iterator>

#include "common/codec/utf8.h"

namespace ica {

namespace {

// Control and format characters, separators other than the space, and what is never a character. Go
// has a table of every unassigned code point besides; those are rare enough to be printed as they
// are.
bool is_printable(uint32_t r) {
  if (r < 0x20 || (r >= 0x7f && r <= 0xa0) || r == 0xad) {
    return false;
  }
  return !(r == 0x1680 || (r >= 0x2000 && r <= 0x200f) || (r >= 0x2028 && r <= 0x202f) ||
           (r >= 0x205f && r <= 0x206f) || r == 0x3000 || (r >= 0xe000 && r <= 0xf8ff) ||
           r == 0xfeff || (r >= 0xfff9 && r <= 0xfffb) || (r & 0xfffe) == 0xfffe || r >= 0xe0000);
}

void append_rune(std::string& out, uint32_t rune, char quote) {
  const auto sink = std::back_inserter(out);
  switch (rune) {
    case '\a':
      out += "\\a";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\v':
      out += "\\v";
      return;
    default:
      break;
  }
  if (rune == static_cast<uint8_t>(quote) || rune == '\\') {
    out.push_back('\\');
    out.push_back(static_cast<char>(rune));
  } else if (rune < 0x80) {
    if (is_printable(rune)) {
      out.push_back(static_cast<char>(rune));
    } else {
      fmt::format_to(sink, "\\x{:02x}", rune);
    }
  } else if (!is_printable(rune)) {
    if (rune < 0x10000) {
      fmt::format_to(sink, "\\u{:04x}", rune);
    } else {
      fmt::format_to(sink, "\\U{:08x}", rune);
    }
  } else {
    utf8_append(out, rune);
  }
}

}  // namespace

std::string go_quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    uint32_t rune = 0;
    if (const size_t length = utf8_next(text, rune); length > 0) {
      append_rune(out, rune, '"');
      text.remove_prefix(length);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
    }
  }
  out.push_back('"');
  return out;
}

std::string go_quote_rune(uint32_t rune) {
  std::string out = "'";
  append_rune(out, rune, '\'');
  out.push_back('\'');
  return out;
}

}  // namespace ica
