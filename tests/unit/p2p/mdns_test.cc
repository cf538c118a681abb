#include <doctest/doctest.h>

#include "agent/p2p/mdns_message.h"

using namespace ica;
using namespace ica::p2p;

namespace {

constexpr const char* kAddress =
    "/ip4/192.0.2.7/tcp/9096/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq";

Multiaddr ma(const std::string& text) {
  auto parsed = Multiaddr::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

}  // namespace

TEST_CASE("a question asks for the reference's service, and an answer brings addresses") {
  const auto question = decode_mdns(mdns_question());
  REQUIRE(question.has_value());
  CHECK(question->asks);
  CHECK(question->addresses.empty());

  const Bytes packet = mdns_answer(
      "instance", {ma(kAddress)},
      {boost::asio::ip::make_address("192.0.2.7"), boost::asio::ip::make_address("2001:db8::1")});
  const auto answer = decode_mdns(packet);
  REQUIRE(answer.has_value());
  CHECK(!answer->asks);
  REQUIRE(answer->addresses.size() == 1);
  CHECK(answer->addresses.front().text() == kAddress);
}

TEST_CASE("names are compressed by others, in any case of letters") {
  // A question for the service, and a TXT record whose name points into it.
  Bytes packet = mdns_question();
  packet[2] = static_cast<char>(0x84);
  packet[7] = 1;
  for (char& c : packet) {
    c = static_cast<char>(c == 'f' ? 'F' : c);
  }
  packet += Bytes("\x01x\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x10", 12);
  const std::string text = std::string("dnsaddr=") + kAddress;
  packet.push_back('\0');
  packet.push_back(static_cast<char>(text.size() + 1));
  packet.push_back(static_cast<char>(text.size()));
  packet += text;
  const auto answer = decode_mdns(packet);
  REQUIRE(answer.has_value());
  CHECK(!answer->asks);
  REQUIRE(answer->addresses.size() == 1);
}

TEST_CASE("damaged packets are refused, and end") {
  const Bytes good = mdns_answer("instance", {ma(kAddress)}, {});
  for (size_t i = 12; i < good.size(); ++i) {
    CHECK(!decode_mdns(BytesView(good).substr(0, i)).has_value());
  }
  CHECK(!decode_mdns("short").has_value());
  // A name that points to itself, and two that point at each other.
  CHECK(!decode_mdns(Bytes("\0\0\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\x0c\0\x01", 18)).has_value());
  CHECK(
      !decode_mdns(Bytes("\0\0\0\0\0\1\0\0\0\0\0\0\xc0\x0e\xc0\x0c\0\x0c\0\x01", 20)).has_value());
  // More records than anybody sends.
  CHECK(!decode_mdns(Bytes("\0\0\0\0\xff\xff\0\0\0\0\0\0", 12)).has_value());
}

TEST_CASE("another service is not ours") {
  Bytes packet = mdns_question();
  packet[14] = 'X';
  const auto question = decode_mdns(packet);
  REQUIRE(question.has_value());
  CHECK(!question->asks);
}
