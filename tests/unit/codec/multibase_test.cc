#include "common/codec/multibase.h"

#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("multibase: encodes as go-multibase") {
  const nlohmann::json cases = test::load_vectors("codec-parse.json")["cases"]["multibase_encode"];
  REQUIRE(cases.size() > 100);
  for (const auto& c : cases) {
    const Bytes expected = test::hex_field(c, "bytes");
    CHECK(multibase_encode(static_cast<Multibase>(expected.at(0)), test::hex_field(c, "in")) ==
          expected);
  }
}

TEST_CASE("multibase: decodes, and refuses with the words of, go-multibase") {
  const nlohmann::json cases = test::load_vectors("codec-parse.json")["cases"]["multibase_decode"];
  REQUIRE(cases.size() > 100);
  for (const auto& c : cases) {
    const std::string text = c["in"];
    CAPTURE(text);
    const auto decoded = multibase_decode(text);
    if (c.contains("error")) {
      REQUIRE_FALSE(decoded.has_value());
      CHECK(decoded.error().message() == c["error"].get<std::string>());
    } else {
      REQUIRE_MESSAGE(decoded.has_value(), decoded.error().message());
      CHECK(base16(*decoded) == c.value("bytes", ""));
    }
  }
}

TEST_CASE("multibase: bare encodings") {
  CHECK(base64("any carnal pleas") == "YW55IGNhcm5hbCBwbGVhcw==");
  CHECK(base64_decode("YW55IGNhcm5hbCBwbGVhcw==").value() == "any carnal pleas");
  CHECK_FALSE(base64_decode("YW55IGNhcm5hbCBwbGVhcw").has_value());
  CHECK(base64_url("\xff\xfe\xfd") == "__79");
  CHECK(base64_url_decode("__79").value() == "\xff\xfe\xfd");
  std::string out = "x";
  append_base32(out, "foobar");
  CHECK(out == "xmzxw6ytboi");
  out = "/";
  append_base32_upper(out, "foobar");
  CHECK(out == "/MZXW6YTBOI");
  CHECK(base32_decode("MZXW6YTBOI").value() == "foobar");
  CHECK(base16("\x01\xab") == "01ab");
}

TEST_CASE("multibase: quadratic decoders have a bound") {
  const auto base36 = multibase_decode("k" + std::string(100'000, 'z'));
  REQUIRE_FALSE(base36.has_value());
  CHECK(base36.error().code() == Code::TooLarge);
  CHECK_FALSE(multibase_decode("z" + std::string(100'000, 'z')).has_value());
}
