#include "common/codec/multiaddr.h"

#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("multiaddr: parses, prints and refuses as go-multiaddr") {
  const nlohmann::json cases = test::load_vectors("codec-parse.json")["cases"]["multiaddr"];
  REQUIRE(cases.size() > 80);
  for (const auto& c : cases) {
    const std::string text = c["in"];
    CAPTURE(text);
    const auto address = Multiaddr::parse(text);
    if (c.contains("error")) {
      REQUIRE_FALSE(address.has_value());
      CHECK(address.error().message() == c["error"].get<std::string>());
    } else {
      REQUIRE_MESSAGE(address.has_value(), address.error().message());
      CHECK(base16(address->bytes()) == c["bytes"].get<std::string>());
      CHECK(address->text() == c["text"].get<std::string>());
      CHECK(Multiaddr::from_bytes(address->bytes()).value() == *address);
    }
  }
}

TEST_CASE("multiaddr: binary forms as go-multiaddr") {
  const auto vectors = test::load_vectors("codec-parse.json");
  for (const auto& c : vectors["cases"]["multiaddr_bytes"]) {
    const std::string hex = c["in"];
    CAPTURE(hex);
    const auto address = Multiaddr::from_bytes(test::from_hex(hex));
    if (c.contains("error")) {
      REQUIRE_FALSE(address.has_value());
      CHECK(address.error().message() == c["error"].get<std::string>());
    } else {
      REQUIRE_MESSAGE(address.has_value(), address.error().message());
      CHECK(address->text() == c["text"].get<std::string>());
    }
  }
}

TEST_CASE("multiaddr: parts") {
  const std::string id = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
  const auto address = Multiaddr::parse("/dns4/example.com/tcp/4001/p2p/" + id).value();
  const auto parts = address.components();
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].name == "dns4");
  CHECK(parts[0].value == "example.com");
  CHECK(parts[1].code == 6);
  CHECK(parts[1].value == "4001");
  CHECK(address.value_of("tcp") == "4001");
  CHECK(address.value_of("ipfs") == id);
  CHECK_FALSE(address.value_of("udp").has_value());
  CHECK_FALSE(address.value_of("nonsense").has_value());
  CHECK(address.peer_id() == PeerId::parse(id).value());
  CHECK(address.without_peer().text() == "/dns4/example.com/tcp/4001");
  CHECK(address.without_peer().without_peer() == address.without_peer());
  CHECK(address.without_peer().encapsulate(Multiaddr::parse("/p2p/" + id).value()) == address);
  CHECK(Multiaddr().text() == "");
  CHECK(Multiaddr().without_peer().empty());
  CHECK_FALSE(address.without_peer().peer_id().has_value());
  const auto relayed =
      Multiaddr::parse("/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit/p2p/" + id)
          .value();
  CHECK(relayed.peer_id()->text() == id);
}

TEST_CASE("multiaddr: a protocol that we do not know is carried through") {
  // /ip4/1.2.3.4, then code 9999 and three bytes whose meaning is unknown.
  const Bytes bytes = test::from_hex(
      "0401020304"
      "8f4e"
      "aabbcc");
  const auto address = Multiaddr::from_bytes(bytes).value();
  CHECK(address.bytes() == bytes);
  CHECK(address.text() == "/ip4/1.2.3.4/unknown-9999/uqrvM");
  CHECK(Multiaddr::parse(address.text()).value() == address);
  CHECK(address.components().at(1).code == 9999);
  CHECK(address.value_of("unknown-9999") == "uqrvM");
  const auto bare = Multiaddr::from_bytes(test::from_hex("8f4e")).value();
  CHECK(bare.text() == "/unknown-9999");
  CHECK(Multiaddr::parse(bare.text()).value() == bare);
  // Only the spelling that text() gives, and never for what has a name.
  CHECK_FALSE(Multiaddr::parse("/unknown-09999").has_value());
  CHECK_FALSE(Multiaddr::parse("/unknown-6/u").has_value());
  CHECK_FALSE(Multiaddr::parse("/unknown-9999/uqrvM/tcp/1").has_value());
}

TEST_CASE("multiaddr: bounds") {
  CHECK(Multiaddr::from_bytes(std::string(Multiaddr::kMaxBytes + 1, '\x04')).error().code() ==
        Code::TooLarge);
  CHECK(Multiaddr::parse("/dns4/" + std::string(5000, 'a')).error().code() == Code::TooLarge);
  CHECK(Multiaddr::parse("/dns4/" + std::string(100'000, 'a')).error().code() == Code::TooLarge);
}

TEST_CASE("multiaddr: where to connect") {
  const auto target = [](const char* text) { return dial_target(Multiaddr::parse(text).value()); };
  auto t = target("/ip4/127.0.0.1/tcp/5001").value();
  CHECK(t.kind == DialTarget::Kind::Ip4);
  CHECK(t.host == "127.0.0.1");
  CHECK(t.port == 5001);
  CHECK_FALSE(t.tls);
  t = target("/dns4/kubo/tcp/443/https").value();
  CHECK(t.kind == DialTarget::Kind::Dns4);
  CHECK(t.host == "kubo");
  CHECK(t.tls);
  t = target("/ip6zone/eth0/ip6/fe80::1/tcp/1").value();
  CHECK(t.kind == DialTarget::Kind::Ip6);
  CHECK(t.host == "fe80::1%eth0");
  t = target("/unix/run/kubo.sock").value();
  CHECK(t.kind == DialTarget::Kind::Unix);
  CHECK(t.host == "/run/kubo.sock");
  CHECK(target("/dns/a/tcp/80/http").value().kind == DialTarget::Kind::Dns);
  CHECK(target("/dns6/a/tcp/80/tls").value().tls);
  CHECK_FALSE(target("/ip4/127.0.0.1").has_value());
  CHECK_FALSE(target("/ip4/127.0.0.1/udp/5001").has_value());
  CHECK_FALSE(target("/tcp/5001").has_value());
}
