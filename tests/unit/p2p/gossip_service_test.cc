#include "agent/p2p/frames.h"
#include "agent/p2p/gossip.h"
#include "tests/unit/p2p/fake_network.h"
#include "tests/unit/p2p/run.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;

namespace {

using namespace std::chrono_literals;

PrivateKey key_of(int n) {
  Bytes seed(32, '\x01');
  seed[0] = static_cast<char>(n);
  return PrivateKey::from_seed(seed);
}

struct Peer {
  Peer(FakeWire& wire, int n, Gossip::Options options)
      : key(key_of(n)),
        host(wire, key.peer_id()),
        gossip(host, key, wire.executor(), clock, options) {}

  void join(const std::string& topic) {
    gossip.subscribe(
        topic,
        {.validate =
             [this](const GossipMessage&, const PeerId& author) {
               return refused.contains(author) ? Verdict::Reject : Verdict::Accept;
             },
         .deliver = [this](Bytes data, const PeerId&, const PeerId&) { got.push_back(data); },
         .subscribed = [this](const PeerId& peer) { subscribed.push_back(peer); }});
  }

  PrivateKey key;
  SystemClock clock;
  FakeHost host;
  Gossip gossip;
  std::set<PeerId> refused;
  std::vector<Bytes> got;
  std::vector<PeerId> subscribed;
};

struct World {
  explicit World(int count, Gossip::Options options = {}) {
    for (int i = 0; i < count; ++i) {
      peers.push_back(std::make_unique<Peer>(wire, i + 1, options));
      peers.back()->join("topic");
      peers.back()->gossip.start();
    }
  }
  ~World() {
    for (auto& peer : peers) {
      run_on(context, &World::stop, &peer->gossip);
    }
  }
  static Task<void> stop(Gossip* gossip) { co_await gossip->stop(); }

  template <typename F>
  bool until(F condition, std::chrono::seconds limit = 20s) {
    const auto give_up = std::chrono::steady_clock::now() + limit;
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      context.restart();
      context.run_one_for(20ms);
    }
    return condition();
  }
  Peer& operator[](size_t i) { return *peers[i]; }
  bool joined(size_t i, size_t count) {
    return until([&] { return peers[i]->subscribed.size() >= count; });
  }

  asio::io_context context;
  FakeWire wire{context.get_executor()};
  std::vector<std::unique_ptr<Peer>> peers;
};

// A peer that speaks by hand.
struct Raw {
  static Task<void> send(FakeHost* host, PeerId to, Bytes bytes, StreamPtr* keep) {
    std::vector<std::string> protocols(1, "/meshsub/1.1.0");
    auto stream = co_await host->open_stream(to, std::move(protocols), 1s, StopToken());
    REQUIRE(stream.has_value());
    *keep = *stream;
    const Status written = co_await (*stream)->write(std::move(bytes));
    (void)written;
  }
};

GossipMessage signed_message(const PrivateKey& key, Bytes data, uint8_t number) {
  GossipMessage m;
  m.from = key.peer_id().bytes();
  m.data = std::move(data);
  m.has_data = true;
  m.seqno = Bytes(7, '\0') + static_cast<char>(number);
  m.topic = "topic";
  sign_message(m, key);
  return m;
}

}  // namespace

TEST_CASE("signatures are those of the reference") {
  const auto vectors = test::load_vectors("pubsub-signed.json");
  int checked = 0;
  for (const auto& c : vectors["cases"]) {
    if (!c.contains("private_seed_hex")) {
      continue;
    }
    const Bytes whole = test::from_hex(c["rpc_frame_hex"].get<std::string>());
    BytesView in = whole;
    while ((static_cast<uint8_t>(in[0]) & 0x80) != 0) {
      in.remove_prefix(1);
    }
    in.remove_prefix(1);
    auto rpc = decode_rpc(in);
    REQUIRE(rpc.has_value());
    GossipMessage m = rpc->messages.at(0);
    CHECK(signature_holds(m));
    const PrivateKey key = PrivateKey::from_seed(test::hex_field(c, "private_seed_hex"));
    const Bytes expected = m.signature;
    m.signature.clear();
    sign_message(m, key);
    CHECK(m.signature == expected);
    CHECK(m.key.empty());
    m.data += "x";
    m.has_data = true;
    CHECK_FALSE(signature_holds(m));
    ++checked;
  }
  CHECK(checked > 0);
}

TEST_CASE("peers hear each other, directly and through others") {
  World world(4);
  for (size_t i = 0; i + 1 < 4; ++i) {
    world.wire.connect(world[i].host, world[i + 1].host);
  }
  REQUIRE(world.joined(0, 1));
  REQUIRE(world.joined(1, 2));
  REQUIRE(world.joined(2, 2));
  REQUIRE(world.joined(3, 1));
  REQUIRE(world[0].gossip.publish("topic", "hello").has_value());
  CHECK(world.until([&] { return world[3].got.size() == 1; }));
  CHECK(world[1].got == std::vector<Bytes>{"hello"});
  CHECK(world[2].got == std::vector<Bytes>{"hello"});
  CHECK(world[0].got.empty());
  CHECK_FALSE(world[0].gossip.publish("other", "x").has_value());
  CHECK_FALSE(world[0].gossip.publish("topic", Bytes(1 << 20, 'x')).has_value());
}

TEST_CASE("what a topic refuses is neither delivered nor passed on") {
  World world(3);
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[1].host, world[2].host);
  REQUIRE(world.joined(1, 2));
  REQUIRE(world.joined(0, 1));
  world[1].refused.insert(world[0].key.peer_id());
  CHECK(world[0].gossip.publish("topic", "untrusted").has_value());
  CHECK(world[1].gossip.publish("topic", "trusted").has_value());
  CHECK(world.until([&] { return world[2].got.size() == 1 && world[0].got.size() == 1; }));
  CHECK(world[2].got == std::vector<Bytes>{"trusted"});
  CHECK(world[1].got.empty());
}

TEST_CASE("after a cut peers find each other again") {
  World world(2);
  world.wire.connect(world[0].host, world[1].host);
  REQUIRE(world.joined(0, 1));
  REQUIRE(world.joined(1, 1));
  world.wire.disconnect(world[0].host, world[1].host);
  world.wire.connect(world[0].host, world[1].host);
  REQUIRE(world.joined(0, 2));
  REQUIRE(world.joined(1, 2));
  CHECK(world[0].gossip.publish("topic", "again").has_value());
  CHECK(world.until([&] { return world[1].got == std::vector<Bytes>{"again"}; }));
}

TEST_CASE("one stream a peer and direction, kept open") {
  World world(2);
  world.wire.connect(world[0].host, world[1].host);
  REQUIRE(world.joined(0, 1));
  for (int i = 0; i < 50; ++i) {
    CHECK(world[0].gossip.publish("topic", std::to_string(i)).has_value());
  }
  CHECK(world.until([&] { return world[1].got.size() == 50; }));
  CHECK(world.wire.opened["/meshsub/1.1.0"] == 2);
}

TEST_CASE("garbage ends a stream and harms nobody") {
  World world(2);
  FakeHost stranger(world.wire, key_of(99).peer_id());
  stranger.handle("/meshsub/1.1.0", [](StreamPtr) -> Task<void> { co_return; });
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(stranger, world[0].host);
  REQUIRE(world.joined(0, 1));
  StreamPtr keep;
  const PeerId victim = world[0].key.peer_id();

  SUBCASE("not an RPC") {
    run_on(world.context, &Raw::send, &stranger, victim, Bytes("\x02\x0a\x09"), &keep);
  }
  SUBCASE("a length without end") {
    run_on(world.context, &Raw::send, &stranger, victim, Bytes(64, '\xff'), &keep);
  }
  SUBCASE("a frame over the bound") {
    run_on(world.context, &Raw::send, &stranger, victim, Bytes("\xff\xff\xff\x7f"), &keep);
  }
  REQUIRE(world.until([&] {
    CHECK(world[1].gossip.publish("topic", "beat").has_value());
    return world[0].got.size() > 2;
  }));
  CHECK(keep != nullptr);
}

TEST_CASE("forged messages are dropped, and an author too short to be one never leaves us") {
  World world(3);
  FakeHost stranger(world.wire, key_of(99).peer_id());
  stranger.handle("/meshsub/1.1.0", [](StreamPtr) -> Task<void> { co_return; });
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(stranger, world[0].host);
  REQUIRE(world.joined(0, 1));
  REQUIRE(world.joined(1, 1));
  GossipRpc rpc;
  rpc.messages.push_back(signed_message(key_of(99), "unsigned", 1));
  rpc.messages.back().signature.clear();
  rpc.messages.push_back(signed_message(key_of(99), "forged", 2));
  rpc.messages.back().from = key_of(50).peer_id().bytes();
  rpc.messages.push_back(signed_message(key_of(99), "short", 3));
  rpc.messages.back().from = "abcd";
  rpc.messages.push_back(signed_message(key_of(99), "good", 4));
  StreamPtr keep;
  run_on(world.context, &Raw::send, &stranger, world[0].key.peer_id(), frame(encode_rpc(rpc)),
         &keep);
  CHECK(world.until([&] { return world[1].got.size() == 1; }));
  CHECK(world[0].got == std::vector<Bytes>{"good"});
  CHECK(world[1].got == std::vector<Bytes>{"good"});
}

TEST_CASE("a peer that does not read costs a bounded queue, and gets our last word later") {
  Gossip::Options options;
  options.outbox = {.messages = 8, .bytes = 64 * 1024, .control = 100};
  options.write_limit = 300ms;
  World world(1, options);
  FakeHost slow(world.wire, key_of(99).peer_id());
  std::vector<StreamPtr> held;
  std::vector<Bytes> heard;
  bool reads = false;
  struct Reader {
    static Task<void> run(StreamPtr stream, bool* reads, std::vector<StreamPtr>* held,
                          std::vector<Bytes>* heard) {
      if (!*reads) {
        held->push_back(std::move(stream));
        co_return;
      }
      FrameReader reader(stream, kMaxGossipFrame);
      while (true) {
        auto bytes = co_await reader.next();
        if (!bytes || !bytes->has_value()) {
          co_return;
        }
        auto rpc = decode_rpc(**bytes);
        for (const GossipMessage& m : rpc->messages) {
          heard->push_back(m.data);
        }
      }
    }
  };
  slow.handle("/meshsub/1.1.0",
              [&](StreamPtr s) { return Reader::run(std::move(s), &reads, &held, &heard); });
  world.wire.connect(slow, world[0].host);
  GossipRpc hello;
  hello.subscriptions.push_back({true, "topic"});
  StreamPtr keep;
  run_on(world.context, &Raw::send, &slow, world[0].key.peer_id(), frame(encode_rpc(hello)), &keep);
  REQUIRE(world.joined(0, 1));
  // It reads nothing of the first stream, which is given up once it is full.
  CHECK(world.until([&] {
    CHECK(world[0].gossip.publish("topic", Bytes(8000, '.')).has_value());
    return held.size() >= 2;
  }));
  CHECK(world[0].gossip.publish("topic", "the last word").has_value());
  reads = true;
  for (const StreamPtr& stream : held) {
    stream->reset();
  }
  CHECK(world.until(
      [&] { return std::find(heard.begin(), heard.end(), "the last word") != heard.end(); }));
}

TEST_CASE("a full outbox lets go of others' messages first and never of our last one") {
  GossipOutbox outbox({.messages = 4, .bytes = 1 << 20, .control = 10});
  const auto one = [](const std::string& topic, char number) {
    GossipMessage m;
    m.topic = topic;
    m.seqno = Bytes(1, number);
    GossipRpc rpc;
    rpc.messages.push_back(m);
    return rpc;
  };
  CHECK(outbox.push(one("a", 1), true) == 0);
  CHECK(outbox.push(one("b", 2), true) == 0);
  size_t dropped = 0;
  for (char i = 10; i < 30; ++i) {
    dropped += outbox.push(one("c", i), false);
  }
  CHECK(dropped == 18);
  for (char i = 40; i < 60; ++i) {
    outbox.push(one("a", i), true);
  }
  CHECK(outbox.messages() == 4);
  const GossipRpc rest = outbox.take(1 << 20);
  CHECK(rest.messages.back().seqno == Bytes(1, 59));
  CHECK(rest.messages.front().topic == "b");
  CHECK(outbox.empty());
  CHECK(outbox.bytes() == 0);
  outbox.restart();  // perhaps none of it arrived
  CHECK(outbox.messages() == 2);
  GossipRpc control;
  control.iwant.assign(11, "id");
  outbox.push(control, false);
  CHECK(outbox.take(1 << 20).iwant.empty());
}
