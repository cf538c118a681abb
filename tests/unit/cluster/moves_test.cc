#include "agent/cluster/moves.h"

#include <doctest/doctest.h>
#include <random>
#include <set>

#include "agent/cluster/peer_states.h"

namespace ica::cluster {
namespace {

PeerId peer(int n) {
  Bytes bytes = std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(31, 'p');
  bytes.push_back(static_cast<char>('a' + n));
  return PeerId::from_bytes(bytes).value();
}

using Peers = std::vector<PeerId>;

// `alive` of peers 0.., all with metrics; peer n has n+1 units of space.
ClusterView view_of(std::initializer_list<int> alive) {
  ClusterView view;
  view.self = peer(0);
  view.allocate_by = {"freespace"};
  for (const int n : alive) {
    view.alive.push_back(peer(n));
    api::Metric metric;
    metric.name = "freespace";
    metric.peer = peer(n);
    metric.weight = 100 * (n + 1);
    metric.valid = true;
    view.metrics["freespace"].push_back(metric);
  }
  view.known = view.alive.size();
  view.movers = view.deciders = view.alive;
  return view;
}

api::Pin pin_on(std::initializer_list<int> peers, int min, int max) {
  api::Pin pin;
  for (const int n : peers) {
    pin.allocations.items.push_back(peer(n));
  }
  pin.options.replication_factor_min = min;
  pin.options.replication_factor_max = max;
  return pin;
}

TEST_CASE("lost copies: only below the minimum, living ones stay, filled up to the maximum") {
  CHECK(!*replace_lost(pin_on({0, 1, 9}, 2, 3), view_of({0, 1, 2})));
  CHECK(**replace_lost(pin_on({0, 1, 9}, 3, 3), view_of({0, 1, 2})) ==
        Peers{peer(0), peer(1), peer(2)});
  CHECK(**replace_lost(pin_on({0, 9}, 2, 3), view_of({0, 1, 2, 3})) ==
        Peers{peer(0), peer(3), peer(2)});
  CHECK(!replace_lost(pin_on({0, 9}, 3, 3), view_of({0, 1})));
  CHECK(!*replace_lost(pin_on({}, -1, -1), view_of({0, 1})));
}

TEST_CASE("lost copies: closed peers get nothing new and keep what they have") {
  auto view = view_of({0, 1, 2, 3});
  view.closed = {peer(0), peer(3)};
  view.metrics["freespace"].erase(view.metrics["freespace"].begin());  // as a cordoned one does
  CHECK(**replace_lost(pin_on({0, 9}, 2, 2), view) == Peers{peer(0), peer(2)});
  view.eligible = [](const PeerId& p) { return p == peer(1); };
  CHECK(**replace_lost(pin_on({0, 9}, 2, 2), view) == Peers{peer(0), peer(1)});
}

TEST_CASE("cut off: with most peers out of sight") {
  auto view = view_of({0, 1});
  view.known = 4;
  CHECK(!view.cut_off());
  view.known = 5;
  CHECK(view.cut_off());
}

TEST_CASE("leaving: add first, wait, remove") {
  const auto view = view_of({0, 1, 2, 3});
  api::Pin pin = pin_on({0, 1}, 2, 2);
  Step step = next_step(pin, peer(0), {}, view);
  REQUIRE(step.kind == Step::Kind::Add);
  CHECK(step.allocations == Peers{peer(0), peer(1), peer(3)});
  pin.allocations.items = step.allocations;
  HeldBy held = {{peer(1), Held::Yes}, {peer(3), Held::No}};
  CHECK(next_step(pin, peer(0), held, view).kind == Step::Kind::Wait);
  held[peer(3)] = Held::Yes;
  step = next_step(pin, peer(0), held, view);
  REQUIRE(step.kind == Step::Kind::Remove);
  CHECK(step.allocations == Peers{peer(1), peer(3)});
  pin.allocations.items = step.allocations;
  CHECK(next_step(pin, peer(0), held, view).kind == Step::Kind::Done);
}

TEST_CASE("leaving: nowhere to go, and one that cannot hold it") {
  auto view = view_of({0, 1});
  CHECK(next_step(pin_on({0, 1}, 2, 2), peer(0), {}, view).kind == Step::Kind::Blocked);
  CHECK(next_step(pin_on({0, 1}, 1, 2), peer(0), {{peer(1), Held::Yes}}, view).kind ==
        Step::Kind::Remove);
  CHECK(next_step(pin_on({0, 1}, 1, 2), peer(0), {{peer(1), Held::Failed}}, view).kind ==
        Step::Kind::Wait);
  view = view_of({0, 1, 2});
  const HeldBy held = {{peer(1), Held::Yes}, {peer(2), Held::Failed}};
  CHECK(next_step(pin_on({0, 1, 2}, 1, 2), peer(0), held, view).kind == Step::Kind::Remove);
  CHECK(next_step(pin_on({0, 1, 2}, 2, 2), peer(0), held, view).kind == Step::Kind::Wait);
}

TEST_CASE("leaving: who was away meanwhile makes no copy too many") {
  const auto view = view_of({0, 1, 2, 3, 4});
  // 1 was away when 3 and 4 were added, and is back.
  const api::Pin pin = pin_on({0, 1, 2, 3, 4}, 2, 3);
  const HeldBy held = {
      {peer(1), Held::Yes}, {peer(2), Held::Yes}, {peer(3), Held::Yes}, {peer(4), Held::No}};
  const Step step = next_step(pin, peer(0), held, view);
  REQUIRE(step.kind == Step::Kind::Remove);
  CHECK(step.allocations == Peers{peer(1), peer(2), peer(3)});
}

// Whatever is alive and whatever the answers: never fewer copies that are held, never fewer places
// than before or the maximum, no peer twice, and it ends.
TEST_CASE("leaving: any cluster") {
  std::mt19937_64 random(3);
  size_t removed = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto below = [&random](int n) {
      return static_cast<int>(random() % static_cast<uint64_t>(n));
    };
    auto view = view_of({0, 1, 2, 3, 4, 5});
    for (int n = 5; n > 0; --n) {
      if (below(4) == 0) {
        std::erase(view.alive, peer(n));
        std::erase_if(view.metrics["freespace"],
                      [n](const api::Metric& m) { return m.peer == peer(n); });
      }
    }
    const int min = 1 + below(3);
    api::Pin pin = pin_on({0}, min, min + below(2));
    for (int n = 1; n < 6; ++n) {
      if (below(2) == 0 &&
          static_cast<int>(pin.allocations.items.size()) < pin.options.replication_factor_max) {
        pin.allocations.items.push_back(peer(n));
      }
    }
    HeldBy held;
    const size_t before = pin.allocations.items.size();
    for (int steps = 0;; ++steps) {
      REQUIRE(steps < 20);
      const Step step = next_step(pin, peer(0), held, view);
      if (step.kind == Step::Kind::Blocked || step.kind == Step::Kind::Done) {
        break;
      }
      if (step.kind == Step::Kind::Wait) {
        for (const PeerId& p : others_alive(pin, peer(0), view)) {
          held[p] = Held::Yes;
        }
        continue;
      }
      CHECK(std::set<PeerId>(step.allocations.begin(), step.allocations.end()).size() ==
            step.allocations.size());
      if (step.kind == Step::Kind::Add) {
        CHECK(step.allocations.size() > pin.allocations.items.size());
        CHECK(std::equal(pin.allocations.items.begin(), pin.allocations.items.end(),
                         step.allocations.begin()));
      } else {
        ++removed;
        const auto others = others_alive(pin, peer(0), view);
        CHECK(static_cast<int>(others.size()) >= min);
        CHECK(step.allocations.size() + 1 >= before);
      }
      pin.allocations.items = step.allocations;
    }
  }
  CHECK(removed > 1000);
}

TEST_CASE("ranks: one first, everybody different, the same for all") {
  Peers all;
  for (int n = 0; n < 7; ++n) {
    all.push_back(peer(n));
  }
  std::map<size_t, int> firsts;
  for (int i = 0; i < 300; ++i) {
    Bytes hash = "\x12\x20" + std::string(31, 'c') + static_cast<char>(i);
    hash[5] = static_cast<char>(i >> 8);
    const Cid cid = Cid::make_v0(hash);
    std::set<size_t> ranks;
    for (const PeerId& p : all) {
      ranks.insert(rank_of(all, p, cid));
      firsts[static_cast<size_t>(&p - all.data())] += rank_of(all, p, cid) == 0 ? 1 : 0;
    }
    CHECK(ranks.size() == all.size());
  }
  for (const auto& [p, n] : firsts) {
    CHECK(n > 10);  // everybody gets a share
  }
}

TEST_CASE("orders: the later one counts, whatever way it comes") {
  const Time now = Time::from_unix(1'800'000'000);
  PeerStates a;
  PeerStates b;
  REQUIRE(a.set(peer(1), PeerMode::Draining, now));
  CHECK(b.adopt(decode_agent(encode_agent({PeerMode::Active, true, a.orders()})).orders, now));
  CHECK(b.mode_of(peer(1)) == PeerMode::Draining);
  CHECK(!b.adopt(a.orders(), now));
  REQUIRE(b.set(peer(1), PeerMode::Active, now));  // same moment, given later
  CHECK(a.adopt(b.orders(), now));
  CHECK(!b.adopt(a.orders(), now));
  CHECK(a.mode_of(peer(1)) == PeerMode::Active);
  PeerStates restarted;
  restarted.load(a.encode());
  CHECK(restarted.orders() == a.orders());
  a.forget_old(now.plus(PeerStates::kForget + std::chrono::seconds(1)));
  CHECK(a.orders().empty());
  // An old "active" is not learnt again, and a clock far ahead gives no orders.
  CHECK(!a.adopt(b.orders(), now.plus(PeerStates::kForget + std::chrono::seconds(1))));
  CHECK(!a.adopt(
      {{peer(2), {PeerMode::Draining, now.plus(std::chrono::hours(1)).unix_nanos() / 1000000}}},
      now));
}

TEST_CASE("orders: nonsense is left out") {
  CHECK(decode_agent("").orders.empty());
  CHECK(decode_agent("[]").orders.empty());
  CHECK(decode_agent(R"({"mode":7,"decides":"x","orders":[1]})").mode == PeerMode::Active);
  const std::string good = peer(1).text();
  const auto value = decode_agent(R"({"mode":"draining","decides":true,"orders":{"x":{},")" + good +
                                  R"(":{"mode":"cordoned","at":5}}})");
  CHECK(value.mode == PeerMode::Draining);
  CHECK(value.decides);
  REQUIRE(value.orders.size() == 1);
  CHECK(value.orders.begin()->second == PeerOrder{PeerMode::Cordoned, 5});
  CHECK(decode_agent(std::string(100'000, ' ') + "{}").orders.empty());
}

}  // namespace
}  // namespace ica::cluster
