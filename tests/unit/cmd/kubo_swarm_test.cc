#include "agent/cmd/kubo_swarm.h"

#include <doctest/doctest.h>

#include "tests/unit/cluster/fakes.h"

namespace ica::cmd {
namespace {

using namespace std::chrono_literals;
using test::peer_id;

// Our Kubo: knows whom it was connected with.
class Kubo final : public test::FakeKubo {
 public:
  Task<Result<std::vector<PeerId>>> swarm_peers(StopToken) override {
    ++looks;
    co_return std::vector<PeerId>(swarm.begin(), swarm.end());
  }
  Task<Status> swarm_connect(Multiaddr address, StopToken) override {
    ++dials;
    if (dead.contains(*address.peer_id())) {
      co_return fail(Code::Internal, "dial backoff");
    }
    swarm.insert(*address.peer_id());
    co_return Status();
  }

  std::set<PeerId> swarm;
  std::set<PeerId> dead;
  int looks = 0;
  int dials = 0;
};

// Peers 1 and 2, whose Kubos have the IDs 2 and 1.
class Peers final : public test::FakePeers {
 public:
  Task<Result<api::Id>> id(PeerId peer, Duration, StopToken) override {
    ++asked[peer];
    if (denied.contains(peer)) {
      co_return fail(Code::PermissionDenied, "not authorized");
    }
    api::Id out;
    out.id = peer;
    if (starting.contains(peer)) {
      out.ipfs.error = "connection refused";
    } else {
      out.ipfs.id = kubo_of(peer);
      out.ipfs.addresses.items.push_back(
          Multiaddr::parse("/ip4/10.0.0.1/tcp/4001/p2p/" + out.ipfs.id.text()).value());
    }
    co_return out;
  }
  static PeerId kubo_of(const PeerId& peer) { return peer == peer_id(1) ? peer_id(2) : peer_id(1); }

  std::map<PeerId, int> asked;
  std::set<PeerId> denied;
  std::set<PeerId> starting;
};

struct Bench {
  asio::io_context context;
  PeerId self;  // by default before all others, so that we dial
  Kubo kubo;
  Peers peers;
  std::vector<PeerId> near = {peer_id(1), peer_id(2)};
  int linked = 0;
  StopSource stop;
  KuboSwarm swarm{{.self = self,
                   .peers = peers,
                   .connector = kubo,
                   .near = [this] { return near; },
                   .linked = [this] { ++linked; }},
                  20ms,
                  context.get_executor()};

  explicit Bench(PeerId own = {}) : self(std::move(own)) {
    spawn(context.get_executor(), KuboSwarm::run(&swarm, stop.get_token()), "the swarm");
  }
  ~Bench() {
    stop.request_stop();
    context.run();
  }
  template <typename Condition>
  bool until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
      context.run_one_for(10ms);
    }
    return condition();
  }
  // Some more rounds, in which nothing is to happen.
  bool rounds(int n) {
    const int looks = kubo.looks;
    return until([&] { return kubo.looks >= looks + n; });
  }
};

TEST_CASE("Kubos of peers are connected once, at one call a round") {
  Bench bench;
  REQUIRE(bench.until([&] { return bench.kubo.swarm.size() == 2; }));
  REQUIRE(bench.rounds(5));
  CHECK(bench.linked == 1);  // both came in one round
  CHECK(bench.kubo.dials == 2);
  CHECK(bench.peers.asked[peer_id(1)] == 1);
}

TEST_CASE("a connection that is gone is made again") {
  Bench bench;
  REQUIRE(bench.until([&] { return bench.linked == 1; }));
  bench.kubo.swarm.erase(Peers::kubo_of(peer_id(1)));
  CHECK(bench.until([&] { return bench.kubo.swarm.size() == 2; }));
  CHECK(bench.until([&] { return bench.linked == 2; }));
}

TEST_CASE("a Kubo that starts late is connected when it is there") {
  Bench bench;
  bench.peers.starting.insert(peer_id(2));
  REQUIRE(bench.rounds(3));
  CHECK(bench.kubo.swarm.size() == 1);
  bench.peers.starting.clear();
  CHECK(bench.until([&] { return bench.kubo.swarm.size() == 2 && bench.linked == 2; }));
}

TEST_CASE("of two peers one dials, and the other when the first does not") {
  const auto [first, last] = std::minmax({peer_id(1), peer_id(2)});
  Bench bench(last);
  bench.near = {first};
  REQUIRE(bench.rounds(2));
  CHECK(bench.kubo.dials == 0);
  SUBCASE("it does") {
    bench.kubo.swarm.insert(Peers::kubo_of(first));
    REQUIRE(bench.rounds(5));
    CHECK(bench.kubo.dials == 0);
    CHECK(bench.linked == 1);
  }
  SUBCASE("it does not") {
    CHECK(bench.until([&] { return bench.kubo.dials == 1; }));
    CHECK(bench.until([&] { return bench.linked == 1; }));
  }
}

TEST_CASE("being connected from the other side counts too") {
  Bench bench;
  bench.kubo.dead.insert(Peers::kubo_of(peer_id(1)));
  REQUIRE(bench.rounds(3));
  CHECK(bench.linked == 1);
  bench.kubo.swarm.insert(Peers::kubo_of(peer_id(1)));
  bench.swarm.met(peer_id(1));
  CHECK(bench.until([&] { return bench.linked == 2; }));
}

TEST_CASE("who does not talk to us is asked once, and again when met again") {
  Bench bench;
  bench.peers.denied.insert(peer_id(1));
  REQUIRE(bench.rounds(5));
  CHECK(bench.peers.asked[peer_id(1)] == 1);
  bench.swarm.met(peer_id(1));
  CHECK(bench.until([&] { return bench.peers.asked[peer_id(1)] == 2; }));
}

TEST_CASE("without Kubo nobody is asked") {
  Bench bench;
  bench.kubo.down = true;
  for (int i = 0; i < 20; ++i) {
    bench.context.run_one_for(5ms);
  }
  CHECK(bench.peers.asked.empty());
  bench.kubo.down = false;
  CHECK(bench.until([&] { return bench.linked == 1; }));
}

}  // namespace
}  // namespace ica::cmd
