#include "common/codec/cid.h"

#include <doctest/doctest.h>
#include <unordered_set>

#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("cid: parses, prints and refuses as go-cid") {
  const nlohmann::json cases = test::load_vectors("codec-parse.json")["cases"]["cid"];
  REQUIRE(cases.size() > 40);
  for (const auto& c : cases) {
    const std::string text = c["in"];
    CAPTURE(text);
    const auto cid = Cid::parse(text);
    if (c.contains("error")) {
      REQUIRE_FALSE(cid.has_value());
      CHECK(cid.error().message() == c["error"].get<std::string>());
    } else {
      REQUIRE_MESSAGE(cid.has_value(), cid.error().message());
      CHECK(base16(cid->bytes()) == c["bytes"].get<std::string>());
      CHECK(cid->text() == c["text"].get<std::string>());
      CHECK(Cid::from_bytes(cid->bytes()).value() == *cid);
    }
  }
}

TEST_CASE("cid: parts of both versions") {
  const auto v0 = Cid::parse("QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq").value();
  CHECK(v0.version() == 0);
  CHECK(v0.codec() == multicodec::kDagPb);
  CHECK(v0.hash_code() == multicodec::kSha2_256);
  CHECK(v0.multihash() == v0.bytes());
  const auto v1 = Cid::make_v1(multicodec::kDagPb, v0.multihash());
  CHECK(v1.version() == 1);
  CHECK(v1.codec() == multicodec::kDagPb);
  CHECK(v1.multihash() == v0.multihash());
  CHECK(v1 != v0);
  CHECK(Cid::make_v0(v1.multihash()) == v0);
  const auto big = Cid::make_v1(0xb19910, v0.multihash());
  CHECK(big.codec() == 0xb19910);
  CHECK(big.hash_code() == multicodec::kSha2_256);
  CHECK(Cid::parse(big.text()).value() == big);
  CHECK_FALSE(Cid().defined());
  CHECK(Cid() < v0);
  CHECK(std::unordered_set<Cid>{v0, v1, v0}.size() == 2);
  CHECK(fmt::format("{}", v0) == "QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq");
}

TEST_CASE("cid: read_prefix takes one and leaves the rest") {
  const auto v0 = Cid::parse("QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq").value();
  const auto v1 = Cid::parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4").value();
  const Bytes both = v0.bytes() + v1.bytes() + "block";
  BytesView in = both;
  CHECK(Cid::read_prefix(in).value() == v0);
  CHECK(Cid::read_prefix(in).value() == v1);
  CHECK(in == "block");
  CHECK_FALSE(Cid::read_prefix(in).has_value());
  CHECK(in == "block");
}

TEST_CASE("cid: too long ones are refused") {
  Bytes identity("\x01\x55\x00", 3);
  identity += "\xac\x02";
  identity += std::string(300, 'x');
  const auto cid = Cid::from_bytes(identity);
  REQUIRE_FALSE(cid.has_value());
  CHECK(cid.error().code() == Code::TooLarge);
  CHECK(Cid::parse(std::string(1'000'000, 'b')).error().code() == Code::TooLarge);
}
