#include "common/crypto/signed_envelope.h"

#include <doctest/doctest.h>

#include "common/codec/pbwire.h"
#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("signed envelope: the record of go-libp2p, both ways") {
  const auto vectors = test::load_vectors("signed-peer-record.json");
  REQUIRE(vectors["cases"].size() == 1);
  for (const auto& c : vectors["cases"]) {
    const auto key = PrivateKey::from_seed(test::hex_field(c, "private_seed_hex"));
    const Bytes envelope = test::hex_field(c, "envelope_hex");
    const auto record = open_peer_record(envelope);
    REQUIRE_MESSAGE(record.has_value(), record.error().message());
    CHECK(record->peer == key.peer_id());
    CHECK(std::to_string(record->sequence) == c["seq"].get<std::string>());
    REQUIRE(record->addresses.size() == c["addrs"].size());
    for (size_t i = 0; i < record->addresses.size(); ++i) {
      CHECK(record->addresses[i].text() == c["addrs"][i].get<std::string>());
    }
    CHECK(base16(seal_peer_record(key, *record)) == base16(envelope));
    const auto opened = open_envelope(envelope, c["domain"].get<std::string>()).value();
    CHECK(opened.payload == test::hex_field(c, "payload_hex"));
    CHECK(opened.payload_type == test::hex_field(c, "payload_type_hex"));
  }
}

TEST_CASE("signed envelope: refusals") {
  const auto key = PrivateKey::generate();
  const auto other = PrivateKey::generate();
  PeerRecord record{key.peer_id(), 7, {Multiaddr::parse("/ip4/1.2.3.4/tcp/1").value()}};
  const Bytes good = seal_peer_record(key, record);
  CHECK(open_peer_record(good).value().sequence == 7);
  CHECK(open_envelope(good, "another-domain").error().code() == Code::PermissionDenied);
  // A valid signature, by somebody else.
  CHECK(open_peer_record(seal_peer_record(other, record)).error().code() == Code::PermissionDenied);
  CHECK(open_peer_record(seal_envelope(key, "libp2p-peer-record", "other", "")).error().code() ==
        Code::InvalidArgument);
  CHECK_FALSE(open_peer_record("").has_value());
  CHECK_FALSE(open_peer_record(good.substr(0, good.size() - 1)).has_value());
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    const auto opened = open_peer_record(changed);
    // A change in the number of an unknown field may leave all that is signed alone.
    if (opened.has_value()) {
      CHECK(opened->peer == key.peer_id());
      CHECK(opened->sequence == 7);
    }
  }
}

TEST_CASE("signed envelope: addresses that cannot be read are left out, and there is a limit") {
  const auto key = PrivateKey::generate();
  Bytes payload;
  PbWriter w(payload);
  w.bytes(1, key.peer_id().bytes()).varint(2, 1);
  w.message(3, [](PbWriter& info) { info.bytes(1, ""); });
  for (size_t i = 0; i < kMaxRecordAddresses + 10; ++i) {
    w.message(3, [](PbWriter& info) {
      info.bytes(1, Multiaddr::parse("/ip4/1.2.3.4/tcp/1").value().bytes());
    });
  }
  const Bytes envelope = seal_envelope(key, "libp2p-peer-record", "\x03\x01", payload);
  CHECK(open_peer_record(envelope).value().addresses.size() == kMaxRecordAddresses);
}
