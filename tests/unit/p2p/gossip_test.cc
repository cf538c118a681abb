#include <map>

#include "agent/p2p/gossip_router.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;

namespace {

using namespace std::chrono_literals;

PeerId peer(int n) {
  Bytes bytes("\x00\x24\x08\x01\x12\x20", 6);
  bytes += Bytes(28, 'k');
  bytes.push_back(static_cast<char>(n >> 24));
  bytes.push_back(static_cast<char>(n >> 16));
  bytes.push_back(static_cast<char>(n >> 8));
  bytes.push_back(static_cast<char>(n));
  // The distinguishing bytes stand where message IDs look.
  std::swap(bytes[6], bytes[34]);
  std::swap(bytes[7], bytes[35]);
  std::swap(bytes[8], bytes[36]);
  std::swap(bytes[9], bytes[37]);
  return *PeerId::from_bytes(bytes);
}

struct Node;

// Routers joined by queues: what a router sends waits until the test moves it.
struct World {
  struct Packet {
    int from;
    int to;
    GossipRpc rpc;
  };
  std::vector<std::unique_ptr<Node>> nodes;
  std::deque<Packet> packets;
  SteadyTime now{};
  std::function<bool(const Packet&)> drop;

  explicit World(int count, GossipParams params = {});
  ~World();
  void connect(int a, int b);
  void run();
  void heartbeat();
  int index_of(const PeerId& id) const;
};

struct Node final : GossipSink {
  Node(World& w, int i, GossipParams params)
      : world(w), index(i), router(peer(i), params, *this, 7) {
    router.join("topic");
  }
  void send(const PeerId& to, GossipRpc rpc, bool) override {
    // Everything goes through the codec.
    auto decoded = decode_rpc(encode_rpc(rpc));
    REQUIRE(decoded.has_value());
    world.packets.push_back({index, world.index_of(to), *std::move(decoded)});
  }
  Verdict validate(const GossipMessage& m, const PeerId&) override {
    return m.signature == "good" ? Verdict::Accept : Verdict::Reject;
  }
  void deliver(const GossipMessage& m, const PeerId&) override { ++got[m.data]; }

  World& world;
  int index;
  GossipRouter router;
  std::map<Bytes, int> got;
};

World::World(int count, GossipParams params) {
  for (int i = 0; i < count; ++i) {
    nodes.push_back(std::make_unique<Node>(*this, i, params));
  }
}
World::~World() = default;

int World::index_of(const PeerId& id) const {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (peer(static_cast<int>(i)) == id) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

void World::connect(int a, int b) {
  nodes[static_cast<size_t>(a)]->router.add_peer(peer(b), true, now);
  nodes[static_cast<size_t>(b)]->router.add_peer(peer(a), false, now);
}

void World::run() {
  for (int steps = 0; !packets.empty() && steps < 1'000'000; ++steps) {
    Packet p = std::move(packets.front());
    packets.pop_front();
    if (drop && drop(p)) {
      continue;
    }
    nodes[static_cast<size_t>(p.to)]->router.on_rpc(peer(p.from), p.rpc, now);
  }
}

void World::heartbeat() {
  now += 10s;
  for (auto& node : nodes) {
    node->router.heartbeat(now);
  }
  run();
}

GossipMessage message(int author, int number, Bytes data) {
  GossipMessage m;
  m.from = peer(author).bytes();
  m.data = std::move(data);
  m.has_data = true;
  m.seqno = Bytes(7, '\0') + static_cast<char>(number);
  m.topic = "topic";
  m.signature = "good";
  return m;
}

}  // namespace

TEST_CASE("the reference's frames are read and written byte for byte") {
  const auto vectors = test::load_vectors("pubsub-signed.json");
  int frames = 0;
  for (const auto& c : vectors["cases"]) {
    const Bytes frame = test::from_hex(c["rpc_frame_hex"].get<std::string>());
    BytesView in = frame;
    size_t skip = 0;
    while ((static_cast<uint8_t>(in[skip]) & 0x80) != 0) {
      ++skip;
    }
    in.remove_prefix(skip + 1);
    auto rpc = decode_rpc(in);
    REQUIRE(rpc.has_value());
    ++frames;
    if (c.contains("control")) {
      // What we do not send (the partial flags, IDONTWANT) is read over.
      const std::string control = c["control"];
      if (!control.starts_with("hello") && !control.starts_with("idontwant")) {
        CHECK_MESSAGE(encode_rpc(*rpc) == in, control);
      }
      continue;
    }
    CHECK(encode_rpc(*rpc) == in);
    REQUIRE(rpc->messages.size() == 1);
    const GossipMessage& m = rpc->messages[0];
    CHECK(m.topic == c["topic"].get<std::string>());
    CHECK(m.signature == test::hex_field(c, "signature_hex"));
    CHECK(m.unsigned_bytes() == test::hex_field(c, "unsigned_message_hex"));
    CHECK(message_id(m) == test::hex_field(c, "cluster_message_id_hex"));
  }
  CHECK(frames > 0);
}

TEST_CASE("a message whose author is too short has no id") {
  GossipMessage m = message(1, 1, "x");
  m.from = "abcd";
  CHECK(!message_id(m).has_value());
}

TEST_CASE("everybody gets a message once, connected directly or through others") {
  World world(8);
  for (int i = 0; i + 1 < 8; ++i) {
    world.connect(i, i + 1);
  }
  world.run();
  world.nodes[0]->router.publish(message(0, 1, "hello"), world.now);
  world.run();
  for (size_t i = 1; i < 8; ++i) {
    CHECK(world.nodes[i]->got["hello"] == 1);
  }
  CHECK(world.nodes[0]->got.empty());
}

TEST_CASE("two peers are in each other's mesh before any heartbeat") {
  World world(2);
  world.connect(0, 1);
  world.run();
  CHECK(world.nodes[0]->router.mesh("topic").size() == 1);
  CHECK(world.nodes[1]->router.mesh("topic").size() == 1);
}

TEST_CASE("a lost message is found again by IHAVE and IWANT") {
  GossipParams params;
  params.d = 1;
  params.d_lo = 1;
  params.d_hi = 1;
  World world(6, params);
  for (int i = 0; i < 6; ++i) {
    for (int j = i + 1; j < 6; ++j) {
      world.connect(i, j);
    }
  }
  world.run();
  world.heartbeat();
  world.drop = [](const World::Packet& p) { return !p.rpc.messages.empty(); };
  world.nodes[0]->router.publish(message(0, 1, "lost"), world.now);
  world.run();
  world.drop = nullptr;
  for (int i = 0; i < 4; ++i) {
    world.heartbeat();
  }
  for (size_t i = 1; i < 6; ++i) {
    CHECK(world.nodes[i]->got["lost"] == 1);
  }
}

TEST_CASE("invalid messages are not forwarded and do not make us deaf for the true one") {
  World world(3);
  world.connect(0, 1);
  world.connect(1, 2);
  world.run();
  GossipMessage forged = message(0, 1, "forged");
  forged.signature = "bad";
  GossipRpc rpc;
  rpc.messages.push_back(forged);
  world.nodes[1]->router.on_rpc(peer(0), rpc, world.now);
  world.run();
  CHECK(world.nodes[1]->got.empty());
  CHECK(world.nodes[1]->router.stats().rejected == 1);
  world.nodes[0]->router.publish(message(0, 1, "true"), world.now);
  world.run();
  CHECK(world.nodes[2]->got["true"] == 1);
}

TEST_CASE("what claims to come from us is dropped") {
  World world(2);
  world.connect(0, 1);
  world.run();
  GossipRpc rpc;
  rpc.messages.push_back(message(0, 9, "echo"));
  world.nodes[0]->router.on_rpc(peer(1), rpc, world.now);
  CHECK(world.nodes[0]->got.empty());
}

TEST_CASE("the mesh keeps its bounds and prunes are honoured") {
  GossipParams params;
  params.d = 4;
  params.d_lo = 3;
  params.d_hi = 6;
  World world(20, params);
  for (int i = 0; i < 20; ++i) {
    for (int j = i + 1; j < 20; ++j) {
      world.connect(i, j);
    }
  }
  world.run();
  for (int i = 0; i < 20; ++i) {
    world.heartbeat();
  }
  for (auto& node : world.nodes) {
    const size_t size = node->router.mesh("topic").size();
    CHECK(size >= 1);
    CHECK(size <= params.d_hi + params.d_out);
  }
  world.nodes[3]->router.publish(message(3, 1, "all"), world.now);
  world.run();
  for (int i = 0; i < 3; ++i) {
    world.heartbeat();
  }
  for (size_t i = 0; i < 20; ++i) {
    CHECK((i == 3 || world.nodes[i]->got["all"] == 1));
  }
}

TEST_CASE("an IWANT flood is answered a bounded number of times") {
  World world(2);
  world.connect(0, 1);
  world.run();
  world.nodes[0]->router.publish(message(0, 1, "once"), world.now);
  world.run();
  GossipRpc want;
  for (int i = 0; i < 1000; ++i) {
    want.iwant.push_back(*message_id(message(0, 1, "once")));
  }
  world.nodes[0]->router.on_rpc(peer(1), want, world.now);
  CHECK(world.packets.size() == 3);
}

// What the reference sends for an IWANT of the most ids that it asks for at once (5,000).
TEST_CASE("thousands of small messages in one RPC are taken") {
  GossipRpc rpc;
  GossipMessage message;
  message.from = Bytes(38, 'p');
  message.data = Bytes(40, 'd');
  message.topic = "t";
  message.signature = Bytes(64, 's');
  for (int i = 0; i < 5000; ++i) {
    message.seqno = Bytes(8, static_cast<char>(i));
    rpc.messages.push_back(message);
  }
  const auto decoded = decode_rpc(encode_rpc(rpc));
  REQUIRE(decoded);
  CHECK(decoded->messages.size() == 5000);
}

TEST_CASE("oversized RPCs are refused") {
  GossipRpc rpc;
  rpc.iwant.assign(10'001, "id");
  CHECK(!decode_rpc(encode_rpc(rpc)).has_value());
  rpc = {};
  rpc.subscriptions.assign(300, {true, "t"});
  CHECK(!decode_rpc(encode_rpc(rpc)).has_value());
  CHECK(!decode_rpc("\x0a").has_value());
}
