#include "agent/ctl/json_scanner.h"

#include <doctest/doctest.h>
#include <vector>

namespace ica::ctl {
namespace {

std::string why_bad(std::string_view text) {
  const Status status = check_json(text);
  return status ? "" : status.error().message();
}

std::vector<std::string> split(std::string_view text, size_t piece) {
  std::vector<std::string> out;
  JsonSplitter splitter;
  const auto sink = [&](std::string_view document) { out.emplace_back(document); };
  for (size_t i = 0; i < text.size(); i += piece) {
    REQUIRE(splitter.feed(text.substr(i, piece), sink));
  }
  REQUIRE(splitter.finish(sink));
  return out;
}

}  // namespace

TEST_CASE("bad JSON is named as by encoding/json") {
  CHECK(why_bad("from the web") == "invalid character 'r' in literal false (expecting 'a')");
  CHECK(why_bad("<html>") == "invalid character '<' looking for beginning of value");
  CHECK(why_bad("{a") == "invalid character 'a' looking for beginning of object key string");
  CHECK(why_bad("{\"a\" 1}") == "invalid character '1' after object key");
  CHECK(why_bad("{\"a\":1 2}") == "invalid character '2' after object key:value pair");
  CHECK(why_bad("[1 2]") == "invalid character '2' after array element");
  CHECK(why_bad("[1,]") == "invalid character ']' looking for beginning of value");
  CHECK(why_bad("1 2") == "invalid character '2' after top-level value");
  CHECK(why_bad("12x") == "invalid character 'x' after top-level value");
  CHECK(why_bad("\"\\q\"") == "invalid character 'q' in string escape code");
  CHECK(why_bad("\"\\u12g4\"") == "invalid character 'g' in \\u hexadecimal character escape");
  CHECK(why_bad("\"a\nb\"") == "invalid character '\\n' in string literal");
  CHECK(why_bad("-x") == "invalid character 'x' in numeric literal");
  CHECK(why_bad("1.x") == "invalid character 'x' after decimal point in numeric literal");
  CHECK(why_bad("1e+x") == "invalid character 'x' in exponent of numeric literal");
  CHECK(why_bad("'") == "invalid character '\\'' looking for beginning of value");
  CHECK(why_bad("") == "unexpected end of JSON input");
  CHECK(why_bad("{\"a\":[1,2") == "unexpected end of JSON input");
  CHECK(why_bad(std::string(10001, '[')) == "exceeded max depth");
  for (const std::string_view good :
       {"0", "-0.5e-7", " {} ", "[]", "[[],{\"a\":{\"b\":[null,true,false]}}]", "\"\\u00e9\\n\""}) {
    CHECK(why_bad(good) == "");
  }
}

TEST_CASE("a stream is cut into its values wherever the pieces end") {
  const std::string text = "{\"a\":\"}{\\\"\"}\n[1,2] 12 true\"x\"{}\n7";
  const std::vector<std::string> expected = {
      "{\"a\":\"}{\\\"\"}", "[1,2]", "12", "true", "\"x\"", "{}", "7"};
  for (const size_t piece : {1UL, 2UL, 3UL, 7UL, 100UL}) {
    CHECK(split(text, piece) == expected);
  }
}

TEST_CASE("a stream that is cut, wrong or too large") {
  const auto ignore = [](std::string_view) {};
  JsonSplitter cut;
  REQUIRE(cut.feed("{}\n{\"a\":", ignore));
  CHECK(cut.finish(ignore).error().message() == "unexpected EOF");
  JsonSplitter wrong;
  CHECK(wrong.feed("{}x", ignore).error().message() ==
        "invalid character 'x' looking for beginning of value");
  JsonSplitter small(10);
  CHECK(small.feed("\"0123456789", ignore).error().code() == Code::TooLarge);
}

TEST_CASE("indented as MarshalIndent") {
  CHECK(indent_json("{\"a\":[1,{\"b\":[]},{}],\"c\":\"\\u003c<&\\u00e9\\/\\ud83d\\ude00\"}") ==
        "{\n    \"a\": [\n        1,\n        {\n            \"b\": []\n        },\n        {}\n   "
        " ],\n"
        "    \"c\": \"\\u003c\\u003c\\u0026é/😀\"\n}");
  CHECK(indent_json(" [ ] ") == "[]");
  CHECK(indent_json("{ }") == "{}");
  CHECK(indent_json("{\"rate\":227.3970653271524}") == "{\n    \"rate\": 227.3970653271524\n}");
}

}  // namespace ica::ctl
