#include "common/codec/varint.h"

#include <doctest/doctest.h>

using namespace ica;

TEST_CASE("varint: known encodings, both ways") {
  struct Case {
    uint64_t value;
    std::string_view bytes;
  };
  using namespace std::string_view_literals;
  const Case cases[] = {{0, "\0"sv},
                        {1, "\x01"sv},
                        {127, "\x7f"sv},
                        {128, "\x80\x01"sv},
                        {300, "\xac\x02"sv},
                        {16384, "\x80\x80\x01"sv},
                        {(1ULL << 63) - 1, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv}};
  for (const Case& c : cases) {
    Bytes out;
    append_varint(out, c.value);
    CHECK(out == c.bytes);
    Bytes with_tail = out + "tail";
    BytesView in = with_tail;
    const auto read = read_varint(in);
    REQUIRE(read.has_value());
    CHECK(*read == c.value);
    CHECK(in == "tail");
  }
}

TEST_CASE("varint: what go-varint refuses is refused with its words and leaves the input alone") {
  using namespace std::string_view_literals;
  struct Case {
    std::string_view bytes;
    const char* error;
  };
  const Case cases[] = {
      {""sv, "varints malformed, could not reach the end"},
      {"\x80"sv, "varints malformed, could not reach the end"},
      {"\x80\x00"sv, "varint not minimally encoded"},
      {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, "varints larger than uint63 not supported"},
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80"sv, "varints larger than uint63 not supported"}};
  for (const Case& c : cases) {
    BytesView in = c.bytes;
    const auto read = read_varint(in);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().message() == c.error);
    CHECK(in == c.bytes);
  }
}

TEST_CASE("varint: peek tells an unfinished one from a wrong one") {
  using namespace std::string_view_literals;
  uint64_t value = 0;
  size_t length = 0;
  CHECK(peek_varint(""sv, value, length) == VarintState::Incomplete);
  CHECK(peek_varint("\x80\x80"sv, value, length) == VarintState::Incomplete);
  CHECK(peek_varint("\x80\x00"sv, value, length) == VarintState::Invalid);
  CHECK(peek_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, value, length) ==
        VarintState::Invalid);
  REQUIRE(peek_varint("\xac\x02rest"sv, value, length) == VarintState::Complete);
  CHECK(value == 300);
  CHECK(length == 2);
}
