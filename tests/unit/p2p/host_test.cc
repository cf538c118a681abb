#include "agent/p2p/identify.h"
#include "tests/unit/p2p/hosts.h"

using namespace ica;
using namespace ica::p2p;
using namespace std::chrono_literals;

TEST_CASE("two hosts connect, identify, and carry streams both ways") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.agent_version = "first/1";
  Host& a = world.add(std::move(options), false);
  a.handle("/echo/1", echo);
  REQUIRE(a.start().has_value());
  Host& b = world.add(2);
  b.handle("/echo/2", echo);
  world.introduce(a, b);

  const auto answer = world.sync(ask(&a, b.self(), "/echo/2", "hello"));
  REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().message()));
  CHECK(*answer == "hello");
  world.until("identified", [&] { return b.speaks(a.self(), "/echo/1"); });
  CHECK(b.agent_version(a.self()) == "first/1");
  // b was dialled and knows a's addresses from identify; its stream uses the same connection.
  const auto back = world.sync(ask(&b, a.self(), "/echo/1", Bytes(300'000, 'x')));
  REQUIRE(back.has_value());
  CHECK(*back == Bytes(300'000, 'x'));
  CHECK(a.connections(b.self()) == 1);
  CHECK(b.connections(a.self()) == 1);
  CHECK(b.known_addresses(a.self()).size() == 1);
  CHECK(a.bandwidth().at("/echo/2").total_in == 5);
  CHECK(a.stats().dialled == 1);
  CHECK(b.stats().accepted == 1);

  const auto rtt = world.sync(a.ping(b.self(), 5s, {}));
  REQUIRE(rtt.has_value());
  CHECK(*rtt > 0ns);
}

TEST_CASE("a handler that comes later is pushed to the peers") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  world.introduce(a, b);
  REQUIRE(world.sync(a.connect(b.self(), 5s, {})).has_value());
  world.until("identified", [&] { return a.speaks(b.self(), kPingProtocol); });
  CHECK(!a.speaks(b.self(), "/late/1"));
  b.handle("/late/1", echo);
  world.until("pushed", [&] { return a.speaks(b.self(), "/late/1"); });
}

TEST_CASE("an unknown protocol is refused and leaves the connection alone") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  world.introduce(a, b);
  const auto answer = world.sync(ask(&a, b.self(), "/nobody/1", "x"));
  REQUIRE(!answer.has_value());
  CHECK(answer.error().code() == Code::Unsupported);
  CHECK(a.connections(b.self()) == 1);
}

TEST_CASE("another secret is recognised on both sides and costs nobody anything") {
  HostWorld world;
  Host& a = world.add(1);
  auto options = HostWorld::options(2);
  options.secrets = {Bytes(32, 'z')};
  Host& b = world.add(std::move(options));
  world.introduce(a, b);
  const auto connected = world.sync(a.connect(b.self(), 10s, {}));
  REQUIRE(!connected.has_value());
  CHECK(connected.error().code() == Code::PermissionDenied);
  CHECK(connected.error().message().find("no common secret, or not a cluster peer") !=
        std::string::npos);
  CHECK(a.stats().wrong_secret() == 1);
  world.until("counted", [&] { return b.stats().wrong_secret() == 1; });
}

TEST_CASE("secrets overlap while they are exchanged") {
  HostWorld world;
  auto old_one = HostWorld::options(1);
  old_one.secrets = {Bytes(32, 'o')};
  auto both = HostWorld::options(2);
  both.secrets = {Bytes(32, 'n'), Bytes(32, 'o')};
  auto new_one = HostWorld::options(3);
  new_one.secrets = {Bytes(32, 'n')};
  Host& a = world.add(std::move(old_one));
  Host& b = world.add(std::move(both));
  Host& c = world.add(std::move(new_one));
  SUBCASE("a listener accepts both") {
    world.introduce(a, b);
    world.introduce(c, b);
    CHECK(world.sync(a.connect(b.self(), 10s, {})).has_value());
    CHECK(world.sync(c.connect(b.self(), 10s, {})).has_value());
  }
  SUBCASE("a dialler falls back to the old one") {
    world.introduce(b, a);
    world.introduce(b, c);
    CHECK(world.sync(b.connect(a.self(), 10s, {})).has_value());
    CHECK(world.sync(b.connect(c.self(), 10s, {})).has_value());
  }
}

TEST_CASE("the peer must be the one that the address names") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  const PeerId other = PrivateKey::from_seed(Bytes(32, 'q')).peer_id();
  const Multiaddr wrong =
      *Multiaddr::parse(b.listen_addresses().front().text() + "/p2p/" + other.text());
  REQUIRE(a.add_address(wrong).has_value());
  const auto connected = world.sync(a.connect(other, 10s, {}));
  REQUIRE(!connected.has_value());
  CHECK(connected.error().code() == Code::Unauthorized);
  CHECK(a.stats().failures(false, ConnectFailure::WrongPeer) == 1);
}

TEST_CASE("an address without an ID is dialled and the ID learned") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  const auto peer = world.sync(a.connect_address(b.listen_addresses().front(), 10s, {}));
  REQUIRE(peer.has_value());
  CHECK(*peer == b.self());
  // Once more is not a second connection.
  const auto again = world.sync(a.connect_address(b.listen_addresses().front(), 10s, {}));
  REQUIRE(again.has_value());
  world.until("one connection",
              [&] { return a.connections(b.self()) == 1 && b.connections(a.self()) == 1; });
  const auto own = world.sync(a.connect_address(a.listen_addresses().front(), 10s, {}));
  REQUIRE(own.has_value());
  CHECK(*own == a.self());
  CHECK(a.connected_peers().size() == 1);
}

TEST_CASE("events come once, and after the last connection is gone") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  std::atomic<int> up{0};
  std::atomic<int> down{0};
  a.subscribe({[&](const PeerId&) { ++up; }, [&](const PeerId&) { ++down; }});
  world.introduce(a, b);
  REQUIRE(world.sync(a.connect(b.self(), 5s, {})).has_value());
  world.until("connected", [&] { return up == 1; });
  // A late subscriber hears of who is there.
  std::atomic<int> late{0};
  a.subscribe({[&](const PeerId&) { ++late; }, nullptr});
  world.until("told", [&] { return late == 1; });
  world.remove(b);
  world.until("disconnected", [&] { return down == 1; });
  CHECK(a.connected_peers().empty());
  CHECK(up == 1);
}

TEST_CASE("dials that cross end as one connection, again and again") {
  for (int round = 0; round < 4; ++round) {
    HostWorld world;
    Host& a = world.add(1);
    Host& b = world.add(2);
    a.handle("/echo", echo);
    b.handle("/echo", echo);
    world.introduce(a, b);
    world.introduce(b, a);
    auto there = std::async(std::launch::async,
                            [&] { return world.sync(ask(&a, b.self(), "/echo", "there")); });
    auto back = std::async(std::launch::async,
                           [&] { return world.sync(ask(&b, a.self(), "/echo", "back")); });
    const auto one = there.get();
    const auto two = back.get();
    REQUIRE_MESSAGE(one.has_value(), (one ? "" : one.error().message()));
    REQUIRE_MESSAGE(two.has_value(), (two ? "" : two.error().message()));
    world.until("one connection",
                [&] { return a.connections(b.self()) == 1 && b.connections(a.self()) == 1; });
    const auto after = world.sync(ask(&a, b.self(), "/echo", "after"));
    CHECK(after.has_value());
  }
}

TEST_CASE("a lost peer is reconnected to, also when it comes back elsewhere") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.reconnect = true;
  Host& a = world.add(std::move(options));
  Host& b = world.add(2);
  const PeerId peer = b.self();
  world.introduce(a, b);
  world.until("connected by itself", [&] { return a.connections(peer) == 1; });
  world.remove(b);
  world.until("gone", [&] { return a.connections(peer) == 0; });
  Host& again = world.add(2);
  world.introduce(a, again);
  world.until("back", [&] { return a.connections(peer) == 1; });
}

TEST_CASE("a thousand streams at once") {
  HostWorld world;
  Host& a = world.add(1);
  Host& b = world.add(2);
  b.handle("/echo", echo);
  world.introduce(a, b);
  REQUIRE(world.sync(a.connect(b.self(), 5s, {})).has_value());
  std::atomic<int> good{0};
  std::atomic<int> ended{0};
  const Bytes data(3000, 'd');
  for (int i = 0; i < 1000; ++i) {
    asio::co_spawn(world.executor(), ask(&a, b.self(), "/echo", data, 30s),
                   [&](std::exception_ptr, Result<Bytes> answer) {
                     good += answer && *answer == data ? 1 : 0;
                     ++ended;
                   });
  }
  world.until("all answered", [&] { return ended == 1000; });
  CHECK(good == 1000);
  world.until("no stream left", [&] { return b.stats().open_inbound_streams == 0; });
}

TEST_CASE("connections in all are limited, and trimmed but for protected peers") {
  HostWorld world;
  auto options = HostWorld::options(1);
  SUBCASE("refused above the limit") {
    options.max_connections = 2;
    Host& a = world.add(options);
    for (int i = 2; i < 6; ++i) {
      Host& other = world.add(i);
      world.introduce(other, a);
      const auto connected = world.sync(other.connect(a.self(), 5s, {}));
      static_cast<void>(connected);  // the refusal may come after the handshake
    }
    world.until("limited", [&] {
      return a.stats().failures(true, ConnectFailure::Limit) == 2 &&
             a.connected_peers().size() == 2;
    });
  }
  SUBCASE("trimmed") {
    options.high_water = 3;
    options.low_water = 2;
    options.trim_grace = 0ns;
    Host& a = world.add(std::move(options));
    Host& kept = world.add(2);
    a.protect(kept.self());
    world.introduce(a, kept);
    REQUIRE(world.sync(a.connect(kept.self(), 5s, {})).has_value());
    for (int i = 3; i < 6; ++i) {
      Host& other = world.add(i);
      world.introduce(a, other);
      const auto connected = world.sync(a.connect(other.self(), 5s, {}));
      static_cast<void>(connected);  // it may be trimmed before we look
    }
    world.until("trimmed", [&] { return a.connected_peers().size() == 2; });
    CHECK(a.connections(kept.self()) == 1);
  }
}

TEST_CASE("connections of one address are limited") {
  HostWorld world;
  auto options = HostWorld::options(1);
  options.max_connections_per_address = 2;
  options.yamux.max_inbound_streams = 8;
  Host& a = world.add(std::move(options));
  a.handle("/echo", echo);
  int connected = 0;
  for (int i = 2; i < 6; ++i) {
    Host& other = world.add(i);
    world.introduce(other, a);
    connected += world.sync(other.connect(a.self(), 5s, {})) ? 1 : 0;
  }
  CHECK(connected == 2);
  CHECK(a.stats().failures(true, ConnectFailure::Limit) >= 2);
}

TEST_CASE("the peerstore file is read at the start and written at the end") {
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("host_test_peerstore_{}", ::getpid());
  HostWorld world;
  Host& b = world.add(2);
  {
    auto options = HostWorld::options(1);
    options.peerstore = file;
    Host& a = world.add(std::move(options));
    REQUIRE(a.add_address(*Multiaddr::parse("/dns4/localhost/tcp/" +
                                            *b.listen_addresses().front().value_of("tcp") +
                                            "/p2p/" + b.self().text()))
                .has_value());
    REQUIRE(world.sync(a.connect(b.self(), 5s, {})).has_value());
    world.until("identified", [&] { return a.speaks(b.self(), kPingProtocol); });
    world.remove(a);
  }
  auto options = HostWorld::options(1);
  options.peerstore = file;
  options.reconnect = true;
  Host& a = world.add(std::move(options));
  const auto known = a.known_addresses(b.self());
  REQUIRE(known.size() == 1);
  CHECK(known.front().text().starts_with("/dns4/localhost/tcp/"));
  world.until("connected", [&] { return a.connections(b.self()) == 1; });
  world.remove(a);
  std::filesystem::remove(file);
}

TEST_CASE("a name without an ID leads to everybody behind it") {
  HostWorld world;
  Host& b = world.add(2);
  auto options = HostWorld::options(1);
  options.reconnect = true;
  options.bootstrap_names.push_back("localhost:" + *b.listen_addresses().front().value_of("tcp"));
  Host& a = world.add(std::move(options));
  world.until("connected", [&] { return a.connections(b.self()) == 1; });
}
