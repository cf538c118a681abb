#include "common/crypto/psk.h"

#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("psk: secrets") {
  const auto vectors = test::load_vectors("psk.json");
  for (const auto& c : vectors["cases"]) {
    CHECK(parse_psk(c["cluster_secret_hex"].get<std::string>()).value() ==
          test::hex_field(c, "psk_hex"));
  }
  CHECK(parse_psk("00ff").error().message() ==
        "input secret is 2 bytes, cluster secret should be 32");
  CHECK(parse_psk("zz").error().message() == "encoding/hex: invalid byte: U+007A 'z'");
  CHECK(parse_psk("abc").error().message() == "encoding/hex: odd length hex string");
  CHECK_FALSE(parse_psk("").has_value());
}

TEST_CASE("psk: the stream as go-libp2p writes it, in pieces of any size") {
  const auto vectors = test::load_vectors("pnet-xsalsa20.json");
  REQUIRE(vectors["cases"].size() == 2);
  for (const auto& c : vectors["cases"]) {
    const Bytes key = test::hex_field(c, "psk_hex");
    const Bytes nonce = test::hex_field(c, "nonce_hex");
    const Bytes wire = test::hex_field(c, "wire_hex");
    const Bytes plain =
        test::hex_field(c, "write1_plain_hex") + test::hex_field(c, "write2_plain_hex");
    REQUIRE(wire.substr(0, kPskNonceBytes) == nonce);
    for (size_t piece = 1; piece <= plain.size(); ++piece) {
      PskStream stream(key, nonce);
      Bytes out = nonce;
      for (size_t at = 0; at < plain.size(); at += piece) {
        Bytes part = plain.substr(at, piece);
        stream.apply(part);
        out += part;
      }
      CHECK(out == wire);
    }
  }
}

TEST_CASE("psk: both ends agree over many blocks, and a wrong key does not") {
  const Bytes key(kPskBytes, 'k');
  const Bytes nonce(kPskNonceBytes, 'n');
  PskStream sender(key, nonce);
  PskStream receiver(key, nonce);
  PskStream stranger(Bytes(kPskBytes, 'x'), nonce);
  Bytes all;
  Bytes sent;
  for (const size_t size : {1, 63, 64, 65, 0, 127, 128, 1000, 3, 4096}) {
    const Bytes plain(size, static_cast<char>('a' + size % 26));
    Bytes data = plain;
    sender.apply(data);
    all += plain;
    sent += data;
  }
  Bytes read = sent;
  receiver.apply(read);
  CHECK(read == all);
  stranger.apply(sent);
  CHECK(sent != all);
}
