#include "common/codec/base58.h"

#include <doctest/doctest.h>
#include <random>

#include "tests/unit/vectors.h"

using namespace ica;

namespace {

// The plainest way to do it, to hold the fast one against.
std::string slow_base58(BytesView bytes) {
  constexpr std::string_view kAlphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::vector<int> digits;
  for (const char c : bytes) {
    int carry = static_cast<uint8_t>(c);
    for (int& d : digits) {
      carry += d * 256;
      d = carry % 58;
      carry /= 58;
    }
    while (carry > 0) {
      digits.push_back(carry % 58);
      carry /= 58;
    }
  }
  std::string out;
  for (size_t i = 0; i < bytes.size() && bytes[i] == 0; ++i) {
    out.push_back('1');
  }
  for (size_t i = digits.size(); i-- > 0;) {
    out.push_back(kAlphabet[static_cast<size_t>(digits[i])]);
  }
  return out;
}

}  // namespace

TEST_CASE("base58: agrees with the plain algorithm at every length and decodes back") {
  std::mt19937 random(58);
  for (size_t length = 0; length <= 150; ++length) {
    for (int round = 0; round < 20; ++round) {
      Bytes bytes(length, '\0');
      const size_t zeros = round % 4 == 0 ? random() % (length + 1) : 0;
      for (size_t i = zeros; i < length; ++i) {
        bytes[i] = round == 1 ? '\xff' : static_cast<char>(random());
      }
      const std::string text = base58(bytes);
      CHECK(text == slow_base58(bytes));
      if (length > 0) {
        CHECK(base58_decode(text).value() == bytes);
      }
    }
  }
}

TEST_CASE("base58: topic names of clusters") {
  const auto vectors = test::load_vectors("topics.json");
  for (const auto& c : vectors["cases"]) {
    CHECK(base58(test::hex_field(c, "multihash_hex")) == c["topic"].get<std::string>());
    CHECK(base58_decode(c["topic"].get<std::string>()).value() ==
          test::hex_field(c, "multihash_hex"));
  }
}

TEST_CASE("base58: refusals") {
  CHECK(base58_decode("").error().message() == "zero length string");
  CHECK(base58_decode("1l0").error().message() == "invalid base58 digit ('l')");
  CHECK(base58_decode("\xc3\xa4").error().message() == "high-bit set on invalid digit");
  CHECK(base58_decode(std::string(kMaxBase58Text + 1, 'z')).error().code() == Code::TooLarge);
  CHECK(base58_decode(std::string(kMaxBase58Text, 'z')).has_value());
}
