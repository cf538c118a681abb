#include "common/codec/utf8.h"

#include <doctest/doctest.h>

using namespace ica;

TEST_CASE("code points are written as they are read") {
  for (const uint32_t rune :
       {0x0U, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0xd7ffU, 0xe000U, 0xffffU, 0x10000U, 0x10ffffU}) {
    std::string text;
    utf8_append(text, rune);
    uint32_t read = 0;
    CHECK(utf8_next(text, read) == text.size());
    CHECK(read == rune);
  }
}

TEST_CASE("lower case goes by code points, and leaves what is no text") {
  CHECK(utf8_lower("AbC-1") == "abc-1");
  CHECK(utf8_lower("ÉΣЖ") == "éσж");
  CHECK(utf8_lower("\xffÀ\xc3") == "\xffà\xc3");
}
