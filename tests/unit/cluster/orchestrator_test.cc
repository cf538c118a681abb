#include "agent/cluster/orchestrator.h"

#include <doctest/doctest.h>

#include "tests/unit/cluster/fakes.h"

namespace ica::cluster {
namespace {

using test::cid_number;
using test::FakePeer;
using test::peer_id;
using namespace std::chrono_literals;

// Peer 0 is this one. Metrics of the fakes last an hour; those of `ping` as long as told.
struct Bench : FakePeer {
  Bench() {
    config.agent.repin_grace = 60s;
    config.agent.move_rate =
        0;  // the clock of the tests does not run on while a rate is waited for
    config.cluster.monitor_ping_interval = 5s;
    clock.advance(1s);
  }
  Orchestrator& orchestrator() { return use_cases().orchestrator(); }

  void ping(int n, Duration ttl = 10s) {
    api::Metric metric;
    metric.peer = peer_id(n);
    metric.valid = true;
    metric.expire = clock.now().plus(ttl).unix_nanos();
    metric.name = "ping";
    metric.value = "{}";
    monitor.add(metric);
  }
  void tell(int n, AgentValue value, Duration ttl = 3600s) {
    api::Metric metric;
    metric.peer = peer_id(n);
    metric.valid = true;
    metric.expire = clock.now().plus(ttl).unix_nanos();
    metric.name = kAgentMetric;
    metric.value = encode_agent(value);
    monitor.add(metric);
  }
  void put(int n, std::initializer_list<int> on, int min, int max) {
    api::Pin pin;
    pin.cid = cid_number(n);
    for (const int p : on) {
      pin.allocations.items.push_back(peer_id(p));
    }
    pin.options.replication_factor_min = min;
    pin.options.replication_factor_max = max;
    pin.timestamp = clock.now();
    REQUIRE(await(pinset.put(pin)));
  }
  std::vector<PeerId> holders(int n) { return pinset.pins.at(cid_number(n)).allocations.items; }
  bool held_by(int n, int p) {
    const auto all_of_it = holders(n);
    return std::find(all_of_it.begin(), all_of_it.end(), peer_id(p)) != all_of_it.end();
  }
  bool turn(Duration by) {
    clock.advance(by);
    REQUIRE(await(orchestrator().observe()));
    auto worked = await(orchestrator().work({}));
    REQUIRE(worked);
    return *worked;
  }
};

TEST_CASE("a lost peer's pins get new places after the grace, and only those below the minimum") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  b.ping(2);  // its last one
  for (int i = 0; i < 700; ++i) {
    b.put(i, {0, 2}, 2, 2);
  }
  for (int i = 700; i < 800; ++i) {
    b.put(i, {0, 1, 2}, 2, 3);
  }
  CHECK(!b.turn(5s));
  CHECK(b.orchestrator().repin_status().peers.empty());
  CHECK(!b.turn(10s));
  REQUIRE(b.orchestrator().repin_status().peers.size() == 1);
  CHECK(b.orchestrator().repin_status().peers[0].state == LostPeer::State::Waiting);
  auto plan = b.all(b.orchestrator().repin_plan({}));
  REQUIRE(plan);
  CHECK(plan->size() == 700);
  CHECK(plan->front().to == std::vector<PeerId>{peer_id(0), peer_id(1)});
  CHECK(!b.turn(40s));
  CHECK(b.pinset.writes == 0);
  CHECK(b.turn(20s));
  CHECK(b.pinset.writes == 700);
  for (int i = 0; i < 700; ++i) {
    CHECK(b.holders(i) == std::vector<PeerId>{peer_id(0), peer_id(1)});
  }
  CHECK(b.holders(750).size() == 3);
  // Quiet afterwards: one look more, no writes.
  for (int i = 0; i < 20; ++i) {
    CHECK(!b.turn(60s));
  }
  CHECK(b.pinset.writes == 700);
  CHECK(b.orchestrator().repin_status().peers[0].state == LostPeer::State::Settled);
  CHECK(b.orchestrator().repin_status().peers[0].moved == 700);
  CHECK(b.orchestrator().repin_status().past.empty());
  // The others unpin the rest: nothing is left to tell of but what was done.
  for (int i = 700; i < 800; ++i) {
    b.pinset.pins.erase(cid_number(i));
  }
  CHECK(!b.turn(60s));
  const auto status = b.orchestrator().repin_status();
  CHECK(status.peers.empty());
  REQUIRE(status.past.size() == 1);
  CHECK(status.past[0].peer == peer_id(2));
  CHECK(status.past[0].moved == 700);
  CHECK(!status.past[0].back);
  CHECK(status.past[0].ended > status.past[0].since);
}

TEST_CASE("only the lost peer's part of the index is read, and not again while nothing changes") {
  Bench b;
  b.announce(0);
  b.announce(1);
  for (int i = 0; i < 50; ++i) {
    b.put(i, {0, 2}, 1, 2);
  }
  b.turn(5s);
  b.turn(100s);
  const size_t reads = b.pinset.index_reads;
  CHECK(reads > 0);
  for (int i = 0; i < 40; ++i) {
    b.turn(60s);
  }
  CHECK(b.pinset.index_reads == reads);
}

TEST_CASE("a peer that is back in time loses nothing") {
  Bench b;
  b.announce(0);
  b.announce(1);
  b.announce(2);
  b.ping(2);
  for (int i = 0; i < 10; ++i) {
    b.put(i, {0, 2}, 2, 2);
  }
  b.turn(15s);
  CHECK(b.orchestrator().repin_status().peers.size() == 1);
  b.turn(50s);
  b.ping(2);
  b.turn(1s);
  CHECK(b.orchestrator().repin_status().peers.empty());
  CHECK(b.orchestrator().repin_status().past.empty());
  b.turn(8s);
  CHECK(b.pinset.writes == 0);
  // Gone again: the grace begins anew.
  b.turn(30s);
  CHECK(b.pinset.writes == 0);
  b.turn(60s);
  CHECK(b.pinset.writes == 10);
}

TEST_CASE("the nearest of those that can decides, the others step in later") {
  Bench b;
  for (const int n : {0, 1}) {
    b.announce(n);
  }
  for (int i = 0; i < 100; ++i) {
    b.put(i, {1, 2}, 2, 2);
  }
  b.tell(1, {PeerMode::Active, true, {}});
  b.turn(1s);
  b.turn(100s);
  const size_t own = b.pinset.writes;
  CHECK(own > 20);
  CHECK(own < 80);
  b.turn(5s);
  CHECK(b.pinset.writes == own);
  b.turn(10s);  // the other one should have acted by now
  CHECK(b.pinset.writes == 100);
}

TEST_CASE("peers that do not decide are not waited for") {
  Bench b;
  for (const int n : {0, 1}) {
    b.announce(n);
  }
  for (int i = 0; i < 100; ++i) {
    b.put(i, {1, 2}, 2, 2);
  }
  SUBCASE("of the reference: no such metric") {}
  SUBCASE("switched off there") {
    b.tell(1, {PeerMode::Active, false, {}});
  }
  SUBCASE("not trusted") {
    b.config.crdt.trusted_peers.all = false;
    b.tell(1, {PeerMode::Active, true, {}});
  }
  b.turn(1s);
  b.turn(100s);
  CHECK(b.pinset.writes == 100);
}

TEST_CASE("switched off: nothing moves, the peer is still told as lost") {
  Bench b;
  SUBCASE("disable_repinning") {
    b.config.cluster.disable_repinning = true;
  }
  SUBCASE("follower") {
    b.config.cluster.follower_mode = true;
  }
  b.announce(0);
  b.announce(1);
  b.put(1, {0, 2}, 2, 2);
  b.turn(1s);
  b.turn(100s);
  b.turn(100s);
  CHECK(b.pinset.writes == 0);
  CHECK(!b.orchestrator().repin_status().enabled);
  CHECK(b.orchestrator().repin_status().peers.size() == 1);
}

TEST_CASE("too few peers: told, and tried again when there is one more") {
  Bench b;
  b.announce(0);
  b.put(1, {0, 2}, 2, 2);
  b.turn(1s);
  b.turn(100s);
  CHECK(b.pinset.writes == 0);
  CHECK(b.orchestrator().repin_status().peers[0].state == LostPeer::State::Short);
  CHECK(b.orchestrator().repin_status().peers[0].too_few_peers == 1);
  b.announce(1);
  b.turn(1s);
  CHECK(b.pinset.writes == 1);
}

TEST_CASE("most peers out of sight: it is rather this one that is cut off") {
  Bench b;
  b.announce(0);
  for (const int n : {1, 2}) {
    b.ping(n);
  }
  b.put(1, {1}, 1, 1);
  b.turn(15s);
  b.turn(100s);
  CHECK(b.orchestrator().repin_status().cut_off);
  CHECK(b.pinset.writes == 0);
}

TEST_CASE("what somebody changes meanwhile stays as it is") {
  Bench b;
  b.announce(0);
  b.announce(1);
  b.put(1, {0, 2}, 2, 2);
  b.pinset.before_replace = [&b](const Cid& cid) { b.pinset.pins.erase(cid); };
  b.turn(1s);
  b.turn(100s);
  CHECK(b.pinset.pins.empty());
}

TEST_CASE("a drain adds elsewhere, waits, removes, and says when it is safe") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  for (int i = 0; i < 150; ++i) {
    b.put(i, {0, 2}, 2, 2);
  }
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Draining)));
  api::PinInfo info;
  info.info.status = api::TrackerStatus::Pinning;
  for (int i = 0; i < 150; ++i) {
    info.cid = cid_number(i);
    b.peers.peers_by_id[peer_id(1)].infos[info.cid] = info;
  }
  CHECK(b.turn(1s));
  for (int i = 0; i < 150; ++i) {
    CHECK(b.holders(i) == std::vector<PeerId>{peer_id(0), peer_id(2), peer_id(1)});
  }
  b.turn(2s);
  auto status = b.await(b.orchestrator().drain_status(peer_id(2)));
  REQUIRE(status);
  CHECK(status->remaining == 150);
  CHECK(status->waiting == 150);
  CHECK(!status->safe());
  for (auto& [cid, told] : b.peers.peers_by_id[peer_id(1)].infos) {
    told.info.status = api::TrackerStatus::Pinned;
  }
  b.turn(20s);
  for (int i = 0; i < 150; ++i) {
    CHECK(b.holders(i) == std::vector<PeerId>{peer_id(0), peer_id(1)});
  }
  status = b.await(b.orchestrator().drain_status(peer_id(2)));
  CHECK(status->safe());
  CHECK(status->moved == 150);
  // New pins do not go there.
  api::Pin pin;
  pin.cid = cid_number(1000);
  pin.options.replication_factor_min = 1;
  pin.options.replication_factor_max = 3;
  auto placed = b.await(b.use_cases().pin(pin));
  REQUIRE(placed);
  CHECK(placed->allocations.items.size() == 2);
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Active)));
  pin.cid = cid_number(1001);
  CHECK(b.await(b.use_cases().pin(pin))->allocations.items.size() == 3);
}

TEST_CASE("a drain that is taken back finishes what was begun, and leaves the rest") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  for (int i = 0; i < 1200; ++i) {
    b.put(i, {2}, 1, 1);
  }
  api::PinInfo info;
  info.info.status = api::TrackerStatus::Pinning;
  for (int i = 0; i < 1200; ++i) {
    info.cid = cid_number(i);
    b.peers.peers_by_id[peer_id(1)].infos[info.cid] = info;
  }
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Draining)));
  b.turn(1s);
  const size_t begun = b.pinset.writes;
  CHECK(begun >= 1000);
  CHECK(begun < 1100);
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Active)));
  for (auto& [cid, told] : b.peers.peers_by_id[peer_id(1)].infos) {
    told.info.status = api::TrackerStatus::Pinned;
  }
  for (int i = 0; i < 5; ++i) {
    b.turn(20s);
  }
  size_t stayed = 0;
  for (int i = 0; i < 1200; ++i) {
    CHECK(b.holders(i).size() == 1);
    stayed += b.held_by(i, 2) ? 1 : 0;
  }
  CHECK(stayed == 1200 - begun);
}

TEST_CASE("a drain that is taken back leaves the next drain's new places alone") {
  constexpr int kPins = 100;
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  api::PinInfo info;
  info.info.status = api::TrackerStatus::Pinned;
  for (int i = 0; i < kPins; ++i) {
    b.put(i, {1}, 1, 1);
    info.cid = cid_number(i);
    for (const int n : {1, 2}) {
      b.peers.peers_by_id[peer_id(n)].infos[info.cid] = info;
    }
  }
  REQUIRE(b.await(b.orchestrator().order(peer_id(0), PeerMode::Cordoned)));
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Draining)));
  b.turn(1s);
  REQUIRE(b.await(b.orchestrator().order(peer_id(2), PeerMode::Active)));
  REQUIRE(b.await(b.orchestrator().order(peer_id(1), PeerMode::Draining)));
  const size_t before = b.pinset.writes;
  for (int i = 0; i < 10; ++i) {
    b.turn(20s);
  }
  for (int i = 0; i < kPins; ++i) {
    CHECK(b.holders(i) == std::vector<PeerId>{peer_id(2)});
  }
  CHECK(b.pinset.writes - before == kPins * 2);  // each added once, and taken away once
}

TEST_CASE("a drain that was ordered elsewhere is taken up; who may not write gives no orders") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  b.put(1, {0, 2}, 1, 1);
  PeerStates states;
  REQUIRE(states.set(peer_id(2), PeerMode::Draining, b.clock.now()));
  bool obeyed = true;
  SUBCASE("trusted") {}
  SUBCASE("not trusted") {
    b.config.crdt.trusted_peers.all = false;
    obeyed = false;
  }
  b.tell(1, {PeerMode::Active, false, states.orders()});
  b.turn(1s);
  b.turn(100s);  // also where the other one is nearer
  CHECK((b.orchestrator().orders().size() == 1) == obeyed);
  CHECK(b.held_by(1, 2) == !obeyed);
}

TEST_CASE("a surplus copy goes when the minimum is kept without it") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n);
  }
  b.put(1, {1, 2}, 2, 2);
  api::PinInfo info;
  info.cid = cid_number(1);
  info.info.status = api::TrackerStatus::Pinned;
  b.peers.peers_by_id[peer_id(1)].infos[info.cid] = info;
  info.info.status = api::TrackerStatus::Pinning;
  b.peers.peers_by_id[peer_id(2)].infos[info.cid] = info;
  const auto gate = b.use_cases().release_gate();
  CHECK(!b.await(gate(cid_number(1), {})));
  b.peers.peers_by_id[peer_id(2)].infos[info.cid].info.status = api::TrackerStatus::Pinned;
  CHECK(b.await(gate(cid_number(1), {})));
  b.peers.peers_by_id[peer_id(2)].error = "gone";
  CHECK(!b.await(gate(cid_number(1), {})));
  // To whom nobody talks, nobody can say it.
  for (const int n : {1, 2}) {
    b.peers.peers_by_id[peer_id(n)].error = "no";
    b.peers.peers_by_id[peer_id(n)].code = Code::PermissionDenied;
  }
  CHECK(b.await(gate(cid_number(1), {})));
  CHECK(b.await(gate(cid_number(2), {})));  // not in the pinset any more
  b.put(3, {0, 1}, 1, 2);
  CHECK(!b.await(gate(cid_number(3), {})));  // given back meanwhile
}

TEST_CASE("expired pins: the nearest first, the others when it does not act") {
  Bench b;
  b.announce(0);
  b.announce(1);
  for (int i = 0; i < 60; ++i) {
    api::Pin pin;
    pin.cid = cid_number(i);
    pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
    pin.options.expire_at = b.clock.now().plus(10s);
    REQUIRE(b.await(b.pinset.put(pin)));
  }
  b.clock.advance(12s);
  const size_t first = *b.await(b.use_cases().remove_expired({}));
  CHECK(first > 10);
  CHECK(first < 50);
  b.clock.advance(20s);
  CHECK(*b.await(b.use_cases().remove_expired({})) == 0);
  b.clock.advance(10s);
  CHECK(*b.await(b.use_cases().remove_expired({})) == 60 - first);
}

TEST_CASE("rebalance: plan, moves, end") {
  Bench b;
  // Equal disks, of which each pin takes a megabyte.
  constexpr int64_t kMega = 1 << 20;
  for (const int n : {0, 1}) {
    b.announce(n, "default", 1000 * kMega);
  }
  b.announce(2, "default", 1300 * kMega);
  for (int i = 0; i < 300; ++i) {
    b.put(i, {0, 1}, 2, 2);
  }
  auto plan = b.await(b.orchestrator().rebalance_plan({}));
  REQUIRE(plan);
  CHECK(plan->pins == 200);
  CHECK(plan->bytes == plan->pins * plan->pin_bytes);
  CHECK(b.pinset.writes == 0);
  api::PinInfo info;
  info.info.status = api::TrackerStatus::Pinned;
  for (int i = 0; i < 300; ++i) {
    info.cid = cid_number(i);
    for (const int n : {1, 2}) {
      b.peers.peers_by_id[peer_id(n)].infos[info.cid] = info;
    }
  }
  REQUIRE(b.await(b.orchestrator().rebalance_start()));
  size_t most = 0;
  for (int i = 0; i < 50 && b.orchestrator().rebalance_status().running; ++i) {
    b.turn(2s);
    size_t over = 0;
    for (int n = 0; n < 300; ++n) {
      CHECK(b.holders(n).size() >= 2);
      over += b.holders(n).size() > 2 ? 1 : 0;
    }
    most = std::max(most, over);
  }
  const auto status = b.orchestrator().rebalance_status();
  CHECK(!status.running);
  CHECK(status.stopped == "done");
  CHECK(status.moved + 2 >= plan->pins);  // shares are rounded
  CHECK(most <= 200);
  std::map<PeerId, int> count;
  for (int n = 0; n < 300; ++n) {
    CHECK(b.holders(n).size() == 2);
    for (const PeerId& p : b.holders(n)) {
      ++count[p];
    }
  }
  for (const auto& [p, n] : count) {
    CHECK(n >= 180);
    CHECK(n <= 220);
  }
  for (const int n : {0, 1, 2}) {
    b.announce(n, "default", 1100 * kMega);
  }
  CHECK(b.await(b.orchestrator().rebalance_plan({}))->pins == 0);
}

TEST_CASE("rebalance: moves that a peer left behind when it died are finished") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n, "default", 1 << 30);
  }
  for (int i = 0; i < 20; ++i) {
    b.put(i, {0, 1, 2}, 1, 2);
    api::PinInfo info;
    info.cid = cid_number(i);
    info.info.status = api::TrackerStatus::Pinned;
    for (const int n : {1, 2}) {
      b.peers.peers_by_id[peer_id(n)].infos[info.cid] = info;
    }
  }
  SUBCASE("all are there") {}
  SUBCASE("a peer of all of them is lost for good") {
    b.ping(2);
    b.turn(5s);
    b.turn(100s);
  }
  REQUIRE(b.await(b.orchestrator().rebalance_start()));
  for (int i = 0; i < 10 && b.orchestrator().rebalance_status().running; ++i) {
    b.turn(2s);
  }
  CHECK(!b.orchestrator().rebalance_status().running);
  for (int i = 0; i < 20; ++i) {
    CHECK(b.holders(i).size() == 2);
  }
}

TEST_CASE("rebalance: a stop finishes what was begun and begins nothing") {
  Bench b;
  for (const int n : {0, 1, 2}) {
    b.announce(n, "default", 1 << 30);
  }
  for (int i = 0; i < 600; ++i) {
    b.put(i, {1}, 1, 1);
  }
  api::PinInfo info;
  info.info.status = api::TrackerStatus::Pinning;
  for (int i = 0; i < 600; ++i) {
    info.cid = cid_number(i);
    b.peers.peers_by_id[peer_id(2)].infos[info.cid] = info;
  }
  REQUIRE(b.await(b.orchestrator().rebalance_start()));
  b.turn(2s);
  b.turn(2s);
  const size_t begun = b.pinset.writes;
  CHECK(begun == 200);
  REQUIRE(b.await(b.orchestrator().rebalance_stop()));
  b.turn(2s);
  b.turn(2s);
  CHECK(b.orchestrator().rebalance_status().running);  // some wait for peer 2
  for (auto& [cid, told] : b.peers.peers_by_id[peer_id(2)].infos) {
    told.info.status = api::TrackerStatus::Pinned;
  }
  b.turn(2s);
  b.turn(2s);
  CHECK(!b.orchestrator().rebalance_status().running);
  CHECK(b.pinset.writes == 400);
  for (int n = 0; n < 600; ++n) {
    CHECK(b.holders(n).size() == 1);
  }
}

TEST_CASE("rebalance: copies stay spread over the values of a tag") {
  ClusterView view;
  view.alive = {peer_id(0), peer_id(1), peer_id(2)};
  std::sort(view.alive.begin(), view.alive.end());
  const auto in = [&view](int n, const std::string& zone) {
    api::Metric metric;
    metric.peer = peer_id(n);
    metric.value = zone;
    metric.partitionable = true;
    view.metrics["tag:zone"].push_back(metric);
  };
  in(0, "a");
  in(1, "b");
  in(2, "a");
  api::Pin pin;
  pin.allocations.items = {peer_id(0), peer_id(1)};
  const std::map<PeerId, uint64_t> room = {{peer_id(2), 5}};
  CHECK(choose_taker(pin, peer_id(0), room, view) == peer_id(2));
  CHECK(choose_taker(pin, peer_id(1), room, view).empty());
  view.closed = {peer_id(2)};  // since the rebalance began
  CHECK(choose_taker(pin, peer_id(0), room, view).empty());
}

TEST_CASE(
    "a move that nobody finishes is finished, once all its peers have held the pin for long") {
  Bench b;
  b.announce(0);
  b.announce(1);
  b.announce(2, "default", 10);  // the least space
  const auto says = [&b](int pin, int peer, api::TrackerStatus status) {
    api::PinInfo info;
    info.cid = cid_number(pin);
    info.info.status = status;
    b.peers.peers_by_id[peer_id(peer)].infos[info.cid] = info;
  };
  for (const int pin : {1, 2}) {
    says(pin, 1, api::TrackerStatus::Pinned);
    says(pin, 2, api::TrackerStatus::Pinned);
  }
  says(1, 2, api::TrackerStatus::Pinning);
  b.put(1, {0, 1, 2}, 1, 2);
  b.turn(1s);
  b.turn(61s);
  CHECK(b.holders(1).size() == 3);  // somebody's move is under way
  says(1, 2, api::TrackerStatus::Pinned);
  b.put(2, {0, 1, 2}, 1, 2);  // only just begun
  b.turn(16s);
  CHECK(b.holders(1) == std::vector<PeerId>{peer_id(0), peer_id(1)});
  CHECK(b.holders(2).size() == 3);
  b.turn(50s);
  CHECK(b.holders(2).size() == 3);
  b.turn(16s);
  CHECK(b.holders(2) == std::vector<PeerId>{peer_id(0), peer_id(1)});
}

TEST_CASE("orders survive a restart") {
  Bench b;
  const auto folder =
      std::filesystem::temp_directory_path() / ("orders-" + std::to_string(::getpid()));
  {
    store::Options options;
    options.path = folder;
    auto store = store::Store::open(options).value();
    auto parts = b.parts();
    parts.store = store.get();
    {
      Cluster cluster(parts);
      REQUIRE(b.await(cluster.orchestrator().order(peer_id(1), PeerMode::Cordoned)));
    }
    Cluster again(parts);
    CHECK(again.orchestrator().orders().at(peer_id(1)).mode == PeerMode::Cordoned);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ica::cluster
