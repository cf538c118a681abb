#include "common/codec/peer_id.h"

#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("peer id: parses, prints and refuses as go-libp2p") {
  const nlohmann::json cases = test::load_vectors("codec-parse.json")["cases"]["peer"];
  REQUIRE(cases.size() > 40);
  for (const auto& c : cases) {
    const std::string text = c["in"];
    CAPTURE(text);
    const auto id = PeerId::parse(text);
    if (c.contains("error")) {
      REQUIRE_FALSE(id.has_value());
      CHECK(id.error().message() == c["error"].get<std::string>());
    } else {
      REQUIRE_MESSAGE(id.has_value(), id.error().message());
      CHECK(base16(id->bytes()) == c["bytes"].get<std::string>());
      CHECK(id->text() == c["text"].get<std::string>());
    }
  }
}

TEST_CASE("peer id: identities of the vectors") {
  const auto vectors = test::load_vectors("identity.json");
  for (const auto& c : vectors["cases"]) {
    const auto id = PeerId::parse(c["peer_id_base58"].get<std::string>()).value();
    CHECK(id.bytes() == test::hex_field(c, "peer_id_bytes_hex"));
    CHECK(PeerId::parse(c["peer_id_cidv1"].get<std::string>()).value() == id);
    CHECK(PeerId::from_bytes(id.bytes()).value() == id);
  }
  CHECK(PeerId().empty());
  CHECK(PeerId().text() == "");
  CHECK_FALSE(PeerId::from_bytes("").has_value());
  CHECK_FALSE(PeerId::from_bytes("\x12\x20short").has_value());
  // An identity multihash of 80 bytes.
  CHECK_FALSE(PeerId::from_bytes(Bytes("\0\x50", 2) + std::string(80, 'x')).has_value());
}
