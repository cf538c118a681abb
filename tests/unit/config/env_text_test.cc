#include "agent/config/env_text.h"

#include <doctest/doctest.h>
#include <limits>

using namespace ica;
using namespace ica::config;

TEST_CASE("env text: numbers as Go's strconv with base 0") {
  CHECK(*parse_int("0") == 0);
  CHECK(*parse_int("-12") == -12);
  CHECK(*parse_int("+7") == 7);
  CHECK(*parse_int("0x1F") == 31);
  CHECK(*parse_int("-0b101") == -5);
  CHECK(*parse_int("0o17") == 15);
  CHECK(*parse_int("017") == 15);
  CHECK(*parse_int("1_000") == 1000);
  CHECK(*parse_int("0_7") == 7);
  CHECK(*parse_int("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(*parse_int("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  CHECK(*parse_uint("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  for (const auto* bad :
       {"", "x", "4x", "1__0", "_1", "1_", "0x", "0x_", "08", "1.5", " 1", "--1", "+-1"}) {
    CAPTURE(bad);
    CHECK(!parse_int(bad));
  }
  CHECK(parse_int("4x").error().message() == "strconv.ParseInt: parsing \"4x\": invalid syntax");
  CHECK(parse_int("9223372036854775808").error().message() ==
        "strconv.ParseInt: parsing \"9223372036854775808\": value out of range");
  CHECK(parse_uint("-1").error().message() == "strconv.ParseUint: parsing \"-1\": invalid syntax");
}

TEST_CASE("env text: bool and float") {
  CHECK(*parse_bool("T"));
  CHECK(*parse_bool("1"));
  CHECK(!*parse_bool("False"));
  CHECK(parse_bool("yes").error().message() ==
        "strconv.ParseBool: parsing \"yes\": invalid syntax");
  CHECK(*parse_float("0.5") == 0.5);
  CHECK(*parse_float("+1e-7") == 1e-7);
  CHECK(parse_float("q").error().message() == "strconv.ParseFloat: parsing \"q\": invalid syntax");
  CHECK(!parse_float("1 "));
  CHECK(!parse_float("+-1"));
}

TEST_CASE("env text: lists and maps") {
  CHECK(parse_list("").empty());
  CHECK(parse_list("  ").empty());
  CHECK(parse_list("a") == std::vector<std::string>{"a"});
  CHECK(parse_list("a, b,") == std::vector<std::string>{"a", " b", ""});
  const auto map = parse_map("b:2,a:1");
  REQUIRE(map);
  CHECK(map->size() == 2);
  CHECK(map->front().first == "b");
  CHECK(parse_map("foo").error().message() == "invalid map item: \"foo\"");
  CHECK(!parse_map("a:b:c"));
}
