#include "agent/p2p/address_book.h"

#include <algorithm>
#include <doctest/doctest.h>

#include "agent/p2p/identify.h"
#include "agent/p2p/listen_addresses.h"
#include "common/codec/varint.h"
#include "common/crypto/signed_envelope.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;
using namespace std::chrono_literals;

namespace {

PeerId peer(char seed) {
  return PrivateKey::from_seed(Bytes(32, seed)).peer_id();
}
Multiaddr ma(const std::string& text) {
  auto parsed = Multiaddr::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), text);
  return *parsed;
}

const SteadyTime kStart = SteadyTime() + 1h;

}  // namespace

TEST_CASE("addresses live as long as their source is good for") {
  AddressBook book(peer('s'));
  CHECK(book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/9096")}, AddressSource::Learned, kStart));
  CHECK(!book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/9096")}, AddressSource::Learned, kStart));
  book.add(peer('b'), {ma("/ip4/10.0.0.2/tcp/9096")}, AddressSource::Identified, kStart);
  book.add(peer('c'), {ma("/ip4/10.0.0.3/tcp/9096")}, AddressSource::Added, kStart);
  CHECK(book.peers(kStart).size() == 3);
  CHECK(book.peers(kStart + 2h).size() == 2);
  CHECK(book.peers(kStart + 25h).size() == 1);
  CHECK(book.peers(kStart + 24h * 365).front() == peer('c'));

  book.set_connected(peer('b'), true, kStart);
  CHECK(book.peers(kStart + 48h).size() == 2);
  book.set_connected(peer('b'), false, kStart + 48h);
  CHECK(book.peers(kStart + 49h).size() == 2);
  CHECK(book.peers(kStart + 73h).size() == 1);
}

TEST_CASE("what cannot be dialled, is ours, or is another peer's is left out") {
  AddressBook book(peer('s'));
  CHECK(!book.add(peer('s'), {ma("/ip4/10.0.0.1/tcp/9096")}, AddressSource::Added, kStart));
  CHECK(!book.add(peer('a'), {ma("/ip4/10.0.0.1/udp/9096/quic-v1")}, AddressSource::Added, kStart));
  CHECK(!book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/9096/p2p/" + peer('b').text())},
                  AddressSource::Added, kStart));
  CHECK(!book.add(ma("/ip4/10.0.0.1/tcp/9096"), AddressSource::Added, kStart));
  CHECK(
      book.add(ma("/ip4/10.0.0.1/tcp/9096/p2p/" + peer('a').text()), AddressSource::Added, kStart));
  CHECK(book.addresses(peer('a'), kStart).front().text() == "/ip4/10.0.0.1/tcp/9096");
}

TEST_CASE("the address that worked comes first, then the better source") {
  AddressBook book(peer('s'));
  book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/1")}, AddressSource::Learned, kStart);
  book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/2")}, AddressSource::Permanent, kStart);
  book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/3")}, AddressSource::Added, kStart);
  book.worked(peer('a'), ma("/ip4/10.0.0.1/tcp/1"));
  const auto list = book.addresses(peer('a'), kStart);
  REQUIRE(list.size() == 3);
  CHECK(list[0].text() == "/ip4/10.0.0.1/tcp/1");
  CHECK(list[1].text() == "/ip4/10.0.0.1/tcp/2");
}

TEST_CASE("what a peer says of itself replaces what others said, but for names") {
  AddressBook book(peer('s'));
  book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/1"), ma("/dns4/a.example/tcp/1")},
           AddressSource::Added, kStart);
  book.identified(peer('a'), {ma("/ip4/10.0.0.9/tcp/1")}, Multiaddr(), kStart);
  auto list = book.addresses(peer('a'), kStart);
  REQUIRE(list.size() == 2);
  CHECK(is_name(list[0]));
  CHECK(list[1].text() == "/ip4/10.0.0.9/tcp/1");
  // Saying nothing is fine, and loses nothing.
  book.identified(peer('a'), {}, Multiaddr(), kStart);
  CHECK(book.addresses(peer('a'), kStart).size() == 2);
}

TEST_CASE("the book is bounded") {
  AddressBook book(peer('s'));
  for (int i = 0; i < 200; ++i) {
    book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/" + std::to_string(1000 + i))},
             AddressSource::Learned, kStart);
  }
  CHECK(book.addresses(peer('a'), kStart).size() == AddressBook::kMaxAddresses);
  book.add(peer('a'), {ma("/ip4/10.0.0.1/tcp/9")}, AddressSource::Permanent, kStart);
  CHECK(book.addresses(peer('a'), kStart).front().text() == "/ip4/10.0.0.1/tcp/9");
  for (size_t i = 0; i < AddressBook::kMaxPeers + 10; ++i) {
    Bytes seed(32, '\0');
    seed[0] = static_cast<char>(i);
    seed[1] = static_cast<char>(i >> 8);
    auto id = PeerId::from_bytes(Bytes("\x12\x20", 2) + seed);
    REQUIRE(id.has_value());
    book.add(*id, {ma("/ip4/10.0.0.1/tcp/9")}, AddressSource::Learned, kStart + 1s);
  }
  CHECK(book.peers(kStart + 2s).size() <= AddressBook::kMaxPeers);
  // The permanent one is still there.
  CHECK(!book.addresses(peer('a'), kStart + 2s).empty());
}

TEST_CASE("the peerstore file: names replace the rest, other lines are ignored") {
  AddressBook book(peer('s'));
  const std::string a = peer('a').text();
  const std::string b = peer('b').text();
  const size_t unreadable = book.load_peerstore(
      "# a comment\n/ip4/10.0.0.1/tcp/9096/p2p/" + a + "\r\n\n/dns4/b.example/tcp/9096/p2p/" + b +
          "\n/ip4/10.0.0.2/tcp/9096/p2p/" + b + "\n/nonsense\n/ip4/10.0.0.3/tcp/9096",
      kStart);
  CHECK(unreadable == 2);
  CHECK(book.all(kStart).size() == 3);
  const std::string text = book.peerstore(kStart);
  CHECK(text.find("/ip4/10.0.0.1/tcp/9096/p2p/" + a + "\n") != std::string::npos);
  CHECK(text.find("/dns4/b.example/tcp/9096/p2p/" + b + "\n") != std::string::npos);
  CHECK(text.find("10.0.0.2") == std::string::npos);
  AddressBook again(peer('s'));
  CHECK(again.load_peerstore(text, kStart) == 0);
  CHECK(again.peerstore(kStart) == text);
}

TEST_CASE("identify reads what real Go peers said") {
  const auto vectors = test::load_vectors("live-capture.json");
  int read = 0;
  for (const auto& v : vectors["cases"]) {
    if (!v.value("name", std::string()).starts_with("identify announced")) {
      continue;
    }
    const Bytes raw = test::hex_field(v, "raw_hex");
    BytesView bytes = raw;
    const auto length = read_varint(bytes);
    REQUIRE(length.has_value());
    CHECK(*length == bytes.size());
    IdentifyMessage message;
    REQUIRE(merge_identify(bytes, message).has_value());
    ++read;
    CHECK(message.protocols == v["protocols"].get<std::vector<std::string>>());
    CHECK(message.agent_version == v["agentVersion"].get<std::string>());
    CHECK(message.observed.text() == v["observedAddr"].get<std::string>());
    REQUIRE(message.key.has_value());
    CHECK(message.key->protobuf() == test::hex_field(v, "publicKey_hex"));
    const auto addresses = identified_addresses(message, message.key->peer_id());
    REQUIRE(addresses.size() == 1);
    CHECK(addresses.front().text() == v["listenAddrs"][0].get<std::string>());
  }
  CHECK(read == 3);
}

TEST_CASE("identify survives encoding, and believes signed records only of the peer itself") {
  const PrivateKey key = PrivateKey::from_seed(Bytes(32, 'k'));
  IdentifyMessage message;
  message.key = key.public_key();
  message.listen_addresses = {ma("/ip4/10.0.0.1/tcp/9096")};
  message.protocols = {"/a", "/b"};
  message.agent_version = "agent";
  message.observed = ma("/ip4/10.0.0.2/tcp/5");
  PeerRecord record;
  record.peer = key.peer_id();
  record.sequence = 7;
  record.addresses = {ma("/ip4/10.0.0.7/tcp/9096")};
  message.signed_record = seal_peer_record(key, record);
  IdentifyMessage back;
  REQUIRE(merge_identify(encode_identify(message), back).has_value());
  CHECK(back.protocols == message.protocols);
  CHECK(back.agent_version == "agent");
  CHECK(back.observed == message.observed);
  CHECK(identified_addresses(back, key.peer_id()) == record.addresses);
  CHECK(identified_addresses(back, peer('x')).empty());
  back.signed_record = "broken";
  CHECK(identified_addresses(back, key.peer_id()) == message.listen_addresses);
}

TEST_CASE("identify holds no more than its bounds") {
  IdentifyMessage big;
  for (int i = 0; i < 1000; ++i) {
    big.protocols.push_back("/p/" + std::to_string(i));
    big.listen_addresses.push_back(ma("/ip4/10.0.0.1/tcp/" + std::to_string(1 + i)));
  }
  big.agent_version = Bytes(5000, 'v');
  IdentifyMessage back;
  REQUIRE(merge_identify(encode_identify(big), back).has_value());
  REQUIRE(merge_identify(encode_identify(big), back).has_value());
  CHECK(back.protocols.size() == kMaxIdentifyProtocols);
  CHECK(back.listen_addresses.size() == kMaxIdentifyAddresses);
  CHECK(back.agent_version.size() == kMaxIdentifyText);
  CHECK(!merge_identify("\x0a\xff\xff", back).has_value());
}

TEST_CASE("addresses of interfaces") {
  const auto list =
      concrete_addresses({ma("/ip4/0.0.0.0/tcp/9096"), ma("/ip4/0.0.0.0/udp/9096/quic-v1"),
                          ma("/ip4/127.0.0.1/tcp/9096"), ma("/ip4/192.0.2.1/tcp/1")});
  CHECK(std::count(list.begin(), list.end(), ma("/ip4/127.0.0.1/tcp/9096")) == 1);
  CHECK(list.back().text() == "/ip4/192.0.2.1/tcp/1");
  CHECK(is_loopback(ma("/ip4/127.0.0.5/tcp/1")));
  CHECK(is_loopback(ma("/ip6/::1/tcp/1")));
  CHECK(!is_loopback(ma("/ip4/10.0.0.1/tcp/1")));
}
