#include "agent/cmd/metric_topic.h"
#include "agent/p2p/frames.h"
#include "agent/rpc/types.h"
#include "tests/unit/cmd/wired_peer.h"

using namespace ica;
using namespace ica::cmd;

namespace {

using namespace std::chrono_literals;
using cmd::test::key_of;
using World = cmd::test::World<>;

// A peer that takes every announcement at its word: it asks for the heads at once, and every one
// must come. It asks as a Go peer does, and so does not wait for a second chance.
struct Watcher {
  Watcher(p2p::FakeWire& wire, int n)
      : key(key_of(n)),
        host(wire, key.peer_id()),
        gossip(host, key, wire.executor(), clock, {}),
        bitswap(host, [](const Cid&) { return std::nullopt; }, wire.executor(), wire.executor(),
                {}) {
    p2p::Gossip::Topic hooks;
    hooks.deliver = [this, executor = wire.executor()](Bytes data, const PeerId& author,
                                                       const PeerId&) {
      auto heads = crdt::decode_broadcast(data);
      REQUIRE(heads.has_value());
      for (const Bytes& head : heads->heads) {
        ++asked;
        spawn(executor, ask(this, crdt::block_cid(head), author), "asking for a head");
      }
    };
    gossip.subscribe(crdt_topic_name("test"), std::move(hooks));
    gossip.start();
    bitswap.start();
  }
  static Task<void> ask(Watcher* self, Cid cid, PeerId author) {
    auto block = co_await self->bitswap.fetch(std::move(cid), std::move(author), StopToken());
    ++(block ? self->served : self->refused);
  }
  static Task<void> stop(Watcher* self, bool* done) {
    co_await self->gossip.stop();
    co_await self->bitswap.stop();
    *done = true;
  }

  SystemClock clock;
  PrivateKey key;
  p2p::FakeHost host;
  p2p::Gossip gossip;
  p2p::Bitswap bitswap;
  int asked = 0;
  int served = 0;
  int refused = 0;
};

api::Metric metric_of(const PeerId& peer, Time expires) {
  api::Metric m;
  m.name = "ping";
  m.peer = peer;
  m.value = "{}";
  m.expire = expires.unix_nanos();
  m.valid = true;
  return m;
}

}  // namespace

TEST_CASE("topic names are the reference's") {
  const auto cases = crdt::test::vectors("topics.json")["cases"];
  for (const auto& c : cases) {
    CHECK(crdt_topic_name(c["cluster_name"].get<std::string>()) == c["topic"].get<std::string>());
  }
}

TEST_CASE("what is announced is served at once, by its author and by who passes it on") {
  World world(2);
  Watcher first(world.wire, 80);
  Watcher second(world.wire, 81);
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[0].host, first.host);
  world.wire.connect(world[1].host, second.host);
  for (uint64_t n = 0; n < 200; ++n) {
    world[n % 2].put(world.wire, n);
    for (int step = 0; step < 3; ++step) {
      world.context.restart();
      world.context.run_one_for(1ms);
    }
  }
  CHECK(world.until([&] {
    return world[0].disk.replica->info().pins == 200 && world[1].disk.replica->info().pins == 200;
  }));
  CHECK(world.until([&] {
    return first.asked > 0 && second.asked > 0 && first.served == first.asked &&
           second.served == second.asked;
  }));
  CHECK(first.refused + second.refused == 0);
  for (Watcher* watcher : {&first, &second}) {
    bool done = false;
    spawn(world.context.get_executor(), Watcher::stop(watcher, &done), "stop");
    CHECK(world.until([&] { return done; }));
  }
}

TEST_CASE("a pinset goes through peers that know only their neighbours") {
  World world(3);
  for (uint64_t n = 0; n < 20; ++n) {
    world[0].put(world.wire, n);
  }
  CHECK(world.until([&] { return world[0].disk.replica->info().pins == 20; }));
  world.wire.connect(world[0].host, world[1].host);
  world.wire.connect(world[1].host, world[2].host);
  CHECK(world.until([&] { return world[2].disk.replica->info().pins == 20; }));
  CHECK(world[2].disk.replica->info().digest == world[0].disk.replica->info().digest);
  // Nothing of what came is kept in memory once it is on disk.
  CHECK(world[1].topic.unmerged() == 0);
  CHECK(world[2].topic.unmerged() == 0);
}

TEST_CASE("announcements of peers that are not trusted change nothing, until they are") {
  World world(2);
  world[0].trust->set({.all = false, .peers = {}});
  world.wire.connect(world[0].host, world[1].host);
  world[1].put(world.wire, 1);
  world[0].put(world.wire, 2);
  CHECK(world.until([&] { return world[1].disk.replica->info().pins == 2; }));
  CHECK(world[0].disk.replica->info().pins == 1);
  world[0].trust->set({.all = false, .peers = {world[1].key.peer_id()}});
  world[1].put(world.wire, 3);
  CHECK(world.until([&] { return world[0].disk.replica->info().pins == 3; }));
}

TEST_CASE("metrics are taken from neighbours with slow clocks, and from nobody in our name") {
  asio::io_context context;
  ManualClock clock;
  monitor::Monitor monitor(clock);
  const config::Config config;
  const PeerId self = key_of(1).peer_id();
  const PeerId other = key_of(2).peer_id();
  const PeerId third = key_of(3).peer_id();
  MetricTopic topic(config, self, monitor, clock, context.get_executor());
  const auto take = [&](const api::Metric& m, const PeerId& author, const PeerId& from) {
    topic.take(rpc::encode_metric(m), author, from);
  };

  take(metric_of(other, clock.now().plus(30s)), other, other);
  CHECK(monitor.alive() == std::vector<PeerId>{other});
  take(metric_of(self, clock.now().plus(30s)), other, other);
  CHECK(monitor.alive() == std::vector<PeerId>{other});
  topic.take("garbage", other, other);

  // Five minutes behind: alive all the same, for as long as anybody.
  take(metric_of(third, clock.now().plus(-270s)), third, third);
  CHECK(monitor.alive().size() == 2);
  clock.advance(31s);
  CHECK(monitor.alive().empty());
  // Passed on by another, it may just be old.
  take(metric_of(third, clock.now().plus(-270s)), third, other);
  CHECK(monitor.alive().empty());
  // An hour is no difference of clocks.
  take(metric_of(third, clock.now().plus(-3600s)), third, third);
  CHECK(monitor.alive().empty());
}
