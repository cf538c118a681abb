#include "common/codec/utf8.h"

#include <clocale>
#include <cstring>
#include <cwctype>
#include <optional>

namespace ica {
namespace {

// Calls take(bytes, rune) for each code point, without a rune for each byte that is not UTF-8.
template <typename Take>
void each_rune(std::string_view text, const Take& take) {
  while (!text.empty()) {
    uint32_t rune = 0;
    const size_t length = utf8_next(text, rune);
    const std::string_view bytes = text.substr(0, length == 0 ? 1 : length);
    take(bytes, length == 0 ? std::nullopt : std::optional<uint32_t>(rune));
    text.remove_prefix(bytes.size());
  }
}

}  // namespace

size_t utf8_next(std::string_view text, uint32_t& rune) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  size_t length = 0;
  uint32_t lowest = 0;
  if (first < 0x80) {
    rune = first;
    return 1;
  }
  if ((first & 0xe0) == 0xc0) {
    length = 2;
    rune = first & 0x1fU;
    lowest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3;
    rune = first & 0x0fU;
    lowest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4;
    rune = first & 0x07U;
    lowest = 0x10000;
  } else {
    return 0;
  }
  if (text.size() < length) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
    rune = (rune << 6) | (byte(i) & 0x3fU);
  }
  const bool good = rune >= lowest && rune <= 0x10ffff && (rune < 0xd800 || rune > 0xdfff);
  return good ? length : 0;
}

void utf8_append(std::string& out, uint32_t rune) {
  const auto last = [&out, rune](int shift) {
    out.push_back(static_cast<char>(0x80 | ((rune >> shift) & 0x3f)));
  };
  if (rune < 0x80) {
    out.push_back(static_cast<char>(rune));
  } else if (rune < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (rune >> 6)));
    last(0);
  } else if (rune < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (rune >> 12)));
    last(6);
    last(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | (rune >> 18)));
    last(12);
    last(6);
    last(0);
  }
}

std::string utf8_lower(std::string_view text) {
  // glibc has this locale built in. It is kept as long as the program runs.
  static const locale_t kUnicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  std::string out;
  out.reserve(text.size());
  each_rune(text, [&out](std::string_view bytes, std::optional<uint32_t> rune) {
    if (!rune) {
      out.append(bytes);
    } else if (*rune < 0x80) {
      out.push_back(static_cast<char>(*rune >= 'A' && *rune <= 'Z' ? *rune - 'A' + 'a' : *rune));
    } else {
      utf8_append(out, kUnicode != nullptr ? ::towlower_l(*rune, kUnicode) : *rune);
    }
  });
  return out;
}

bool valid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    // Nearly all of our text is ASCII: eight bytes at a time.
    if (text.size() - i >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + i, 8);
      if ((word & 0x8080808080808080ULL) == 0) {
        i += 8;
        continue;
      }
    }
    uint32_t rune = 0;
    const size_t length = utf8_next(text.substr(i), rune);
    if (length == 0) {
      return false;
    }
    i += length;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  each_rune(text, [&out](std::string_view bytes, std::optional<uint32_t> rune) {
    out.append(rune ? bytes : "\xef\xbf\xbd");
  });
  return out;
}

}  // namespace ica
