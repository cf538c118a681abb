#include "agent/p2p/bitswap.h"

#include "agent/p2p/frames.h"
#include "common/codec/varint.h"
#include "common/crypto/hash.h"
#include "common/crypto/key.h"
#include "tests/unit/p2p/fake_network.h"
#include "tests/unit/p2p/run.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::p2p;

namespace {

using namespace std::chrono_literals;
constexpr const char* kProtocol = "/ipfs/bitswap/1.2.0";

PeerId id_of(int n) {
  Bytes seed(32, '\x02');
  seed[0] = static_cast<char>(n);
  return PrivateKey::from_seed(seed).peer_id();
}

Cid cid_of(BytesView data) {
  return Cid::make_v1(multicodec::kDagPb, *make_multihash(multicodec::kSha2_256, data));
}

struct Peer {
  Peer(FakeWire& wire, int n, Bitswap::Options options)
      : host(wire, id_of(n)),
        bitswap(
            host, [this](const Cid& cid) { return read(cid); }, wire.executor(), wire.executor(),
            options) {
    bitswap.start();
  }
  std::optional<Bytes> read(const Cid& cid) {
    ++reads;
    const auto it = blocks.find(cid);
    return it == blocks.end() ? std::nullopt : std::optional<Bytes>(it->second);
  }
  Cid put(const Bytes& data) {
    blocks[cid_of(data)] = data;
    return cid_of(data);
  }
  FakeHost host;
  std::map<Cid, Bytes> blocks;
  int reads = 0;
  Bitswap bitswap;
};

struct World {
  explicit World(int count, Bitswap::Options options = {}) {
    for (int i = 0; i < count; ++i) {
      peers.push_back(std::make_unique<Peer>(wire, i + 1, options));
    }
  }
  ~World() {
    for (auto& peer : peers) {
      run_on(context, &World::stop, &peer->bitswap);
    }
  }
  static Task<void> stop(Bitswap* bitswap) { co_await bitswap->stop(); }
  static Task<void> fetch_into(Bitswap* bitswap, Cid cid, PeerId first, StopToken stop,
                               std::optional<Result<Bytes>>* out) {
    auto result = co_await bitswap->fetch(cid, first, stop);
    out->emplace(std::move(result));
  }
  Result<Bytes> fetch(size_t who, const Cid& cid, const PeerId& first) {
    std::optional<Result<Bytes>> out;
    run_on(context, &World::fetch_into, &peers[who]->bitswap, cid, first, StopToken(), &out);
    return *out;
  }
  template <typename F>
  bool until(F condition) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      context.restart();
      context.run_one_for(20ms);
    }
    return condition();
  }
  Peer& operator[](size_t i) { return *peers[i]; }

  asio::io_context context;
  FakeWire wire{context.get_executor()};
  std::vector<std::unique_ptr<Peer>> peers;
};

// A peer that speaks by hand: what it got, and what it sends.
struct Hand {
  Hand(FakeWire& wire, int n) : host(wire, id_of(n)) {
    host.handle(kProtocol, [this](StreamPtr s) { return read(this, std::move(s)); });
  }
  static Task<void> read(Hand* self, StreamPtr stream) {
    FrameReader reader(stream, kMaxBitswapFrame);
    while (true) {
      auto bytes = co_await reader.next();
      if (!bytes || !bytes->has_value()) {
        co_return;
      }
      auto message = decode_bitswap(**bytes);
      if (message) {
        self->got.push_back(*std::move(message));
      }
    }
  }
  static Task<void> send_to(Hand* self, PeerId to, Bytes bytes) {
    if (!self->out) {
      std::vector<std::string> protocols(1, kProtocol);
      auto opened = co_await self->host.open_stream(to, std::move(protocols), 1s, StopToken());
      REQUIRE(opened.has_value());
      self->out = *opened;
    }
    const Status written = co_await self->out->write(std::move(bytes));
    (void)written;
  }
  void send(World& world, size_t to, const BitswapMessage& message) {
    run_on(world.context, &Hand::send_to, this, world[to].host.self(),
           frame(encode_bitswap(message)));
  }
  size_t count(bool (*rule)(const BitswapMessage&)) const {
    return static_cast<size_t>(std::count_if(got.begin(), got.end(), rule));
  }
  FakeHost host;
  StreamPtr out;
  std::vector<BitswapMessage> got;
};

WantEntry want(const Cid& cid, WantType type = WantType::Block, bool send_dont_have = true) {
  WantEntry entry;
  entry.cid = cid;
  entry.type = type;
  entry.send_dont_have = send_dont_have;
  return entry;
}

BitswapMessage asking(std::vector<WantEntry> wants) {
  BitswapMessage message;
  message.wants = std::move(wants);
  return message;
}

}  // namespace

TEST_CASE("the reference's messages are read and written byte for byte") {
  const auto vectors = test::load_vectors("bitswap.json");
  for (const auto& c : vectors["cases"]) {
    const Bytes whole = test::hex_field(c, "frame_hex");
    BytesView in = whole;
    const auto length = read_varint(in);
    REQUIRE(length.has_value());
    CHECK(*length == in.size());
    const auto message = decode_bitswap(in);
    REQUIRE(message.has_value());
    CHECK_MESSAGE(encode_bitswap(*message) == in, c["name"].get<std::string>());
    CHECK_FALSE(message->empty());
    for (const BitswapBlock& block : message->blocks) {
      const auto cid = cid_of_block(block.prefix, block.data);
      REQUIRE(cid.has_value());
      CHECK(c["name"].get<std::string>().find(cid->text()) != std::string::npos);
      CHECK(cid_prefix(*cid) == block.prefix);
    }
  }
}

TEST_CASE("malformed and oversized messages are refused") {
  CHECK_FALSE(decode_bitswap("\x0a\x09").has_value());
  BitswapMessage message;
  message.wants.assign(20'000, want(cid_of("x")));
  CHECK(decode_bitswap(encode_bitswap(message)).error().code() == Code::TooLarge);
  CHECK_FALSE(cid_of_block("\x01\x70\x12", "abc").has_value());
  CHECK_FALSE(cid_of_block(BytesView("\x01\x70\x12\x10", 4), "abc").has_value());
  CHECK_FALSE(cid_of_block(BytesView("\x01\x70\x7f\x20", 4), "abc").has_value());
}

TEST_CASE("a block comes from the peer that is said to have it") {
  World world(3);
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[0].host, world[2].host);
  const Cid cid = world[2].put("block");
  world[1].put("block");
  const auto got = world.fetch(0, cid, world[2].host.self());
  REQUIRE(got.has_value());
  CHECK(*got == "block");
  CHECK(world[1].reads == 0);
  CHECK(world[2].bitswap.stats().blocks_out == 1);
}

TEST_CASE("who has it not says so, and the next one is asked at once") {
  Bitswap::Options options;
  options.ask_limit = 10s;
  World world(4, options);
  for (size_t i = 1; i < 4; ++i) {
    world.wire.connect(world[0].host, world[i].host);
  }
  const Cid cid = world[3].put(Bytes(100'000, 'b'));
  const auto start = std::chrono::steady_clock::now();
  const auto got = world.fetch(0, cid, world[1].host.self());
  REQUIRE(got.has_value());
  CHECK(got->size() == 100'000);
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  // Nobody keeps waiting for what has come.
  CHECK(world.until([&] {
    return world[1].bitswap.stats().waiting == 0 && world[2].bitswap.stats().waiting == 0;
  }));
}

TEST_CASE("what nobody has fails soon, with an answer that says so") {
  Bitswap::Options options;
  options.ask_limit = 50ms;
  World world(3, options);
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[0].host, world[2].host);
  const auto got = world.fetch(0, cid_of("nowhere"), world[1].host.self());
  CHECK(got.error().code() == Code::Unavailable);
  CHECK(world.fetch(1, cid_of("nowhere"), PeerId()).error().code() == Code::Unavailable);
  World alone(1);
  CHECK(alone.fetch(0, cid_of("x"), PeerId()).error().code() == Code::Unavailable);
}

TEST_CASE("a want is kept, and served when the block comes") {
  World world(2);
  world.wire.connect(world[0].host, world[1].host);
  const Cid cid = cid_of("later");
  std::optional<Result<Bytes>> out;
  spawn(world.context.get_executor(),
        World::fetch_into(&world[0].bitswap, cid, world[1].host.self(), StopToken(), &out),
        "fetch");
  REQUIRE(world.until([&] { return world[1].bitswap.wanted(); }));
  world[1].put("later");
  world[1].bitswap.available({cid_of("another"), cid});
  REQUIRE(world.until([&] { return out.has_value(); }));
  REQUIRE(out->has_value());
  CHECK(**out == "later");
  CHECK_FALSE(world[1].bitswap.wanted());
}

TEST_CASE("a silent peer costs one ask_limit, a leaving one nothing") {
  Bitswap::Options options;
  options.ask_limit = 100ms;
  World world(2, options);
  Hand silent(world.wire, 90);
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[0].host, silent.host);
  const Cid cid = world[1].put("block");
  CHECK(world.fetch(0, cid, silent.host.self()).has_value());
  // It is told that we have it.
  CHECK(world.until([&] {
    return silent.count(
               [](const BitswapMessage& m) { return !m.wants.empty() && m.wants[0].cancel; }) == 1;
  }));

  options.ask_limit = 30s;
  World other(2, options);
  Hand leaving(other.wire, 90);
  other.wire.connect(other[0].host, other[1].host);
  other.wire.connect(other[0].host, leaving.host);
  other[1].put("block");
  std::optional<Result<Bytes>> out;
  spawn(other.context.get_executor(),
        World::fetch_into(&other[0].bitswap, cid, leaving.host.self(), StopToken(), &out), "fetch");
  REQUIRE(other.until([&] { return !leaving.got.empty(); }));
  other.wire.disconnect(other[0].host, leaving.host);
  REQUIRE(other.until([&] { return out.has_value(); }));
  CHECK(out->has_value());
}

TEST_CASE("bytes that are not what was asked for are no answer") {
  Bitswap::Options options;
  options.ask_limit = 100ms;
  options.fetch_limit = 500ms;
  World world(1, options);
  Hand liar(world.wire, 90);
  world.wire.connect(world[0].host, liar.host);
  const Cid cid = cid_of("truth");
  std::optional<Result<Bytes>> out;
  spawn(world.context.get_executor(),
        World::fetch_into(&world[0].bitswap, cid, liar.host.self(), StopToken(), &out), "fetch");
  REQUIRE(world.until([&] { return !liar.got.empty(); }));
  BitswapMessage lie;
  lie.blocks.push_back({cid_prefix(cid), "lie"});
  liar.send(world, 0, lie);
  REQUIRE(world.until([&] { return out.has_value(); }));
  CHECK_FALSE(out->has_value());
  CHECK(world[0].bitswap.stats().unwanted == 1);
}

TEST_CASE("a stopped fetch ends and takes its want back") {
  World world(1);
  Hand silent(world.wire, 90);
  world.wire.connect(world[0].host, silent.host);
  StopSource stop;
  std::optional<Result<Bytes>> out;
  spawn(
      world.context.get_executor(),
      World::fetch_into(&world[0].bitswap, cid_of("x"), silent.host.self(), stop.get_token(), &out),
      "fetch");
  REQUIRE(world.until([&] { return !silent.got.empty(); }));
  stop.request_stop();
  REQUIRE(world.until([&] { return out.has_value(); }));
  CHECK(out->error().code() == Code::Cancelled);
  CHECK(world.until([&] { return silent.got.size() == 2; }));
}

TEST_CASE("many wants go in few messages over one stream, and come back so") {
  World world(2);
  world.wire.connect(world[0].host, world[1].host);
  std::vector<std::optional<Result<Bytes>>> out(500);
  for (size_t i = 0; i < out.size(); ++i) {
    const Cid cid = world[1].put("block " + std::to_string(i));
    spawn(world.context.get_executor(),
          World::fetch_into(&world[0].bitswap, cid, world[1].host.self(), StopToken(), &out[i]),
          "fetch");
  }
  CHECK(world.until([&] {
    return std::all_of(out.begin(), out.end(), [](const auto& o) { return o && o->has_value(); });
  }));
  CHECK(world.wire.opened[kProtocol] == 2);
  CHECK(world[0].bitswap.stats().fetched == 500);
}

TEST_CASE("want-have is answered with small blocks themselves, and with HAVE for large ones") {
  World world(1);
  Hand asker(world.wire, 90);
  world.wire.connect(world[0].host, asker.host);
  const Cid small = world[0].put("small");
  const Cid large = world[0].put(Bytes(5000, 'l'));
  asker.send(world, 0,
             asking({want(small, WantType::Have), want(large, WantType::Have),
                     want(cid_of("absent"), WantType::Have)}));
  REQUIRE(world.until([&] { return !asker.got.empty(); }));
  const BitswapMessage& answer = asker.got[0];
  REQUIRE(answer.blocks.size() == 1);
  CHECK(answer.blocks[0].data == "small");
  REQUIRE(answer.presences.size() == 2);
  CHECK(answer.presences[0].have);
  CHECK(answer.presences[0].cid == large);
  CHECK_FALSE(answer.presences[1].have);
  asker.send(world, 0, asking({want(large)}));
  CHECK(world.until([&] {
    return asker.count([](const BitswapMessage& m) {
      return !m.blocks.empty() && m.blocks[0].data.size() == 5000;
    }) == 1;
  }));
}

TEST_CASE("a peer that asks without end and reads nothing holds bounded memory") {
  Bitswap::Options options;
  options.max_ledger = 100;
  options.queue_bytes = 256 * 1024;
  World world(1, options);
  FakeHost greedy(world.wire, id_of(91));
  std::vector<StreamPtr> held;
  struct Holder {
    static Task<void> keep(StreamPtr stream, std::vector<StreamPtr>* held) {
      held->push_back(std::move(stream));
      co_return;
    }
  };
  greedy.handle(kProtocol, [&](StreamPtr s) { return Holder::keep(std::move(s), &held); });
  world.wire.connect(world[0].host, greedy);
  std::vector<std::string> protocols(1, kProtocol);
  Hand speaker(world.wire, 92);
  world.wire.connect(world[0].host, speaker.host);
  std::vector<WantEntry> wants;
  for (int i = 0; i < 64; ++i) {
    wants.push_back(want(world[0].put(Bytes(64 * 1024, 'x') + std::to_string(i))));
  }
  for (int i = 0; i < 5000; ++i) {
    wants.push_back(want(cid_of("absent " + std::to_string(i))));
  }
  struct Ask {
    static Task<void> run(FakeHost* host, PeerId to, Bytes bytes, StreamPtr* keep) {
      std::vector<std::string> names(1, kProtocol);
      auto opened = co_await host->open_stream(to, std::move(names), 1s, StopToken());
      *keep = *opened;
      const Status written = co_await (*opened)->write(std::move(bytes));
      (void)written;
    }
  };
  StreamPtr keep;
  for (int round = 0; round < 5; ++round) {
    run_on(world.context, &Ask::run, &greedy, world[0].host.self(),
           frame(encode_bitswap(asking(wants))), &keep);
  }
  CHECK(world.until([&] { return held.size() == 1; }));
  // Others are served meanwhile.
  const Cid other = world[0].put("for the other");
  speaker.send(world, 0, asking({want(other)}));
  CHECK(world.until([&] { return !speaker.got.empty(); }));
  CHECK(world[0].bitswap.stats().bytes_out < 64u * 64 * 1024);
  CHECK(world[0].bitswap.stats().waiting <= 100);
}
