// Announcements, fetching and merging of several peers under virtual time.
#include "agent/crdt/synchronizer.h"

#include <queue>
#include <random>

#include "tests/sim/memory_store.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using namespace std::chrono_literals;
using test::put_op;
using test::remove_op;
using test::ScratchDir;
using test::test_cid;
using test::test_pin;

TEST_CASE(
    "announcements: at once, coalesced, repeated after a burst, then only what others do not say") {
  SteadyTime now{};
  Announcer announcer({}, 1, now);
  const std::vector<Bytes> heads = {block_digest("h")};
  std::vector<Duration> sent;
  const auto run_until = [&](Duration end) {
    while (announcer.next() <= SteadyTime(end)) {
      now = std::max(now, announcer.next());
      if (!announcer.poll(now, heads).empty()) {
        sent.push_back(now.time_since_epoch());
      }
    }
    now = SteadyTime(end);
  };
  announcer.changed(now);
  run_until(1ms);
  CHECK(sent == std::vector<Duration>{0ms});
  for (int i = 0; i < 500; ++i) {  // a burst of half a second
    announcer.changed(now);
    run_until(now.time_since_epoch() + 1ms);
  }
  CHECK(sent.size() <= 7);
  CHECK(sent.size() >= 5);
  sent.clear();
  run_until(20s);
  // The last of the burst and 0.5, 2 and 8 s later.
  CHECK(sent.size() >= 3);
  CHECK(sent.size() <= 4);
  CHECK(sent.back() > 8s);
  sent.clear();
  announcer.heard(heads);
  run_until(78s);
  CHECK(sent.empty());  // others said it
  run_until(78s * 2);
  CHECK(sent.size() >= 1);
  CHECK(sent.size() <= 3);
}

TEST_CASE(
    "the fetcher bounds what is in flight, backs off, and tries at once when somebody new has it") {
  Fetcher::Options options;
  options.parallel = 2;
  options.window = 4;
  Fetcher fetcher(options);
  SteadyTime now{};
  const Bytes a = block_digest("a");
  const auto peer = *PeerId::from_bytes(block_cid(a).multihash());
  for (const char* name : {"a", "b", "c"}) {
    fetcher.want(block_digest(name), {}, now);
  }
  CHECK(fetcher.start(now).size() == 2);
  CHECK(fetcher.start(now).empty());
  CHECK(fetcher.next() == SteadyTime::max());
  fetcher.failed(a, now);
  const auto third = fetcher.start(now);
  REQUIRE(third.size() == 1);
  CHECK(third[0].digest == block_digest("c"));
  fetcher.arrived(block_digest("b"));
  CHECK(fetcher.next() == now + 1s);
  CHECK(fetcher.start(now).empty());
  fetcher.want(a, peer, now);
  const auto again = fetcher.start(now);
  REQUIRE(again.size() == 1);
  CHECK(again[0].peer == peer);
  // 1, 2, 4 ... at most 60 s.
  Duration last{};
  for (int i = 0; i < 10; ++i) {
    fetcher.failed(a, now);
    last = fetcher.next() - now;
    now = fetcher.next();
    REQUIRE(fetcher.start(now).size() == 1);
  }
  CHECK(last == 60s);
  fetcher.failed(a, now);
  CHECK(fetcher.hopeless(now) == std::vector<Bytes>{a});
  fetcher.retry_all(now);
  CHECK(fetcher.start(now).size() == 1);
  fetcher.failed(a, now);
  // A full window lets go of what waits longest.
  for (const char* name : {"d", "e", "f"}) {
    fetcher.want(block_digest(name), {}, now);
  }
  CHECK(fetcher.size() == 4);
  CHECK_FALSE(fetcher.knows(a));
  CHECK(fetcher.knows(block_digest("d")));
}

// Peers, a clock and a network with delays, losses and repeats, all from one seed.
class Simulation {
 public:
  explicit Simulation(uint64_t seed, size_t peers) : random_(seed) {
    for (size_t i = 0; i < peers; ++i) {
      nodes_.push_back(std::make_unique<Node>(dir_.path() / std::to_string(i)));
      nodes_.back()->id =
          *PeerId::from_bytes(block_cid(block_digest(std::to_string(i))).multihash());
      start(i);
    }
  }

  struct Node {
    explicit Node(const std::filesystem::path& path) : peer(path) {}
    test::Peer peer;
    PeerId id;
    std::unique_ptr<Synchronizer> sync;
    uint64_t life = 0;  // events of an earlier life are not delivered
  };

  Node& node(size_t i) { return *nodes_[i]; }
  size_t size() const { return nodes_.size(); }
  Duration now() const { return now_.time_since_epoch(); }
  double loss = 0;
  size_t fetches = 0;
  size_t messages = 0;
  std::set<size_t> unreachable;  // neither announce nor serve

  void start(size_t i) {
    Node& n = node(i);
    ++n.life;
    n.sync =
        std::make_unique<Synchronizer>(*n.peer.replica, Synchronizer::Options(), random_(), now_);
  }
  void crash(size_t i) {
    node(i).sync.reset();
    node(i).peer.restart();
    start(i);
    for (auto& other : nodes_) {
      other->sync->on_peer(now_);
    }
  }
  void write(size_t i, const std::vector<LocalOp>& ops) {
    const auto made = node(i).peer.replica->write(ops);
    REQUIRE(made.has_value());
    if (!made->empty()) {
      node(i).sync->on_local(*made, now_);
    }
  }
  void inject(size_t to, Bytes message) {
    REQUIRE(node(to).sync->on_announcement(message, node(0).id, now_).has_value());
  }

  // Runs until `end` or until `done`.
  bool run(Duration end, const std::function<bool()>& done) {
    for (;;) {
      pump();
      if (done()) {
        return true;
      }
      SteadyTime next = SteadyTime(end);
      if (!events_.empty()) {
        next = std::min(next, events_.top().at);
      }
      for (const auto& n : nodes_) {
        next = std::min(next, n->sync->next());
      }
      if (next >= SteadyTime(end)) {
        now_ = SteadyTime(end);
        return done();
      }
      now_ = std::max(now_, next);
      while (!events_.empty() && events_.top().at <= now_) {
        const auto event = events_.top();
        events_.pop();
        event.run();
      }
    }
  }

  bool equal() const {
    const auto first = nodes_[0]->peer.replica->info();
    return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& n) {
      const auto info = n->peer.replica->info();
      return info.digest == first.digest && info.work == 0;
    });
  }

 private:
  struct Event {
    SteadyTime at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  void later(Duration delay, std::function<void()> run) {
    events_.push(
        {now_ + std::chrono::duration_cast<SteadyTime::duration>(delay), order_++, std::move(run)});
  }
  Duration delay() { return std::chrono::microseconds(500 + random_() % 20'000); }
  bool lost() { return static_cast<double>(random_() % 1000) < loss * 1000; }

  void pump() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Node& n = node(i);
      while (n.sync->has_arrived()) {
        REQUIRE(n.sync->merge_some(now_).has_value());
      }
      auto actions = n.sync->poll(now_);
      REQUIRE(actions.has_value());
      for (const auto& message : actions->broadcasts) {
        broadcast(i, message);
      }
      for (const auto& request : actions->requests) {
        fetch(i, request);
      }
    }
  }

  void broadcast(size_t from, const Bytes& message) {
    for (size_t to = 0; to < nodes_.size(); ++to) {
      if (to == from || unreachable.contains(from)) {
        continue;
      }
      for (int copies = random_() % 8 == 0 ? 2 : 1; copies > 0; --copies) {
        if (lost()) {
          continue;
        }
        ++messages;
        later(delay(), [this, from, to, message] {
          REQUIRE(node(to).sync->on_announcement(message, node(from).id, now_).has_value());
        });
      }
    }
  }

  void fetch(size_t to, const Fetcher::Request& request) {
    ++fetches;
    std::optional<Bytes> block;
    PeerId from;
    for (size_t i = 0; i < nodes_.size() && !block; ++i) {
      if (!unreachable.contains(i) && (request.peer.empty() || node(i).id == request.peer)) {
        block = *node(i).peer.replica->block(request.digest);
        from = node(i).id;
      }
    }
    if (lost()) {
      block.reset();
    } else if (block && random_() % 50 == 0) {
      (*block)[0] = static_cast<char>(~(*block)[0]);  // wrong bytes
    }
    later(block ? delay() : 500ms,
          [this, to, request, block = std::move(block), from, life = node(to).life] {
            if (node(to).life == life) {
              REQUIRE(node(to).sync->on_block(request.digest, block, from, now_).has_value());
            }
          });
  }

  std::mt19937_64 random_;
  ScratchDir dir_;
  SteadyTime now_{};
  uint64_t order_ = 0;
  std::priority_queue<Event> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

void check_settled(Simulation& s) {
  for (size_t i = 0; i < s.size(); ++i) {
    test::check_totals(s.node(i).peer);
    CHECK(test::contents(*s.node(i).peer.store).values ==
          test::contents(*s.node(0).peer.store).values);
    CHECK(s.node(i).peer.replica->heads() == s.node(0).peer.replica->heads());
  }
}

TEST_CASE("a write reaches everybody in well under a second") {
  Simulation s(1, 4);
  s.write(0, {put_op(test_pin(1))});
  CHECK(s.run(1s, [&] { return s.node(3).peer.replica->info().pins == 1 && s.equal(); }));
  check_settled(s);
}

TEST_CASE("with half of all messages lost, repeats and rebroadcasts bring everything") {
  Simulation s(2, 4);
  s.loss = 0.5;
  for (uint64_t i = 0; i < 50; ++i) {
    s.write(i % 4, {put_op(test_pin(i))});
    s.run(s.now() + 5ms, [] { return false; });
  }
  CHECK(s.run(s.now() + 10min, [&] { return s.equal(); }));
  CHECK(s.node(0).peer.replica->info().pins == 50);
  s.loss = 0;
  s.run(s.now() + 3min, [] { return false; });
  check_settled(s);
}

TEST_CASE("a long history is walked in about a round trip a node, and goes on after a restart") {
  Simulation s(3, 2);
  s.unreachable = {0};
  for (uint64_t i = 0; i < 400; ++i) {
    s.write(0, {put_op(test_pin(i))});
  }
  CHECK_FALSE(s.run(10s, [&] { return s.equal(); }));
  s.unreachable.clear();
  CHECK_FALSE(s.run(s.now() + 120s, [&] { return s.node(1).peer.replica->info().blocks > 100; }) ==
              false);
  const auto before = s.node(1).peer.replica->info();
  CHECK(before.work > 0);
  s.crash(1);
  CHECK(s.node(1).peer.replica->info().blocks == before.blocks);
  const size_t fetches = s.fetches;
  CHECK(s.run(s.now() + 60s, [&] { return s.equal(); }));
  CHECK(s.fetches - fetches < 400);
  check_settled(s);
}

TEST_CASE("a head that nobody serves blocks nobody and is given up in the end") {
  Simulation s(4, 3);
  s.inject(1, encode_broadcast({block_digest("nowhere")}));
  s.write(0, {put_op(test_pin(1))});
  CHECK(s.run(1s, [&] { return s.node(1).peer.replica->info().pins == 1; }));
  CHECK(s.node(1).peer.replica->info().work == 1);
  CHECK(s.run(15min, [&] { return s.equal(); }));
}

TEST_CASE("a node that somebody announced and this peer makes as well is asked for no more") {
  SteadyTime now{};
  sim::MemoryStore here;
  sim::MemoryStore there;
  const auto replica = *Replica::open(here);
  const std::vector<LocalOp> same = {put_op(test_pin(1))};
  const auto announced = *(*Replica::open(there))->write(same);
  Synchronizer sync(*replica, {}, 1, now);
  REQUIRE(sync.on_announcement(encode_broadcast(announced), {}, now).has_value());
  REQUIRE(sync.poll(now)->requests.size() == 1);
  REQUIRE(sync.on_block(announced.front(), std::nullopt, {}, now).has_value());
  const auto made = *replica->write(same);
  REQUIRE(made == announced);
  sync.on_local(made, now);
  for (int i = 0; i < 100; ++i) {
    now = std::max(now + std::chrono::milliseconds(1), sync.next());
    CHECK(sync.poll(now)->requests.empty());
  }
}

TEST_CASE("random writers, losses, wrong bytes and crashes: everybody ends up with the same") {
  for (uint64_t seed = 10; seed < 14; ++seed) {
    CAPTURE(seed);
    Simulation s(seed, 4);
    s.loss = 0.2;
    std::mt19937_64 random(seed);
    for (int i = 0; i < 150; ++i) {
      const size_t who = random() % s.size();
      const uint64_t key = random() % 12;
      s.write(who, {random() % 3 == 0 ? remove_op(test_cid(key))
                                      : put_op(test_pin(key, std::to_string(random() % 9)))});
      if (random() % 3 == 0) {
        s.run(s.now() + std::chrono::milliseconds(random() % 60), [] { return false; });
      }
      if (random() % 40 == 0) {
        s.crash(random() % s.size());
      }
    }
    CHECK(s.run(s.now() + 10min, [&] { return s.equal(); }));
    // Quiet: the heads become the same too, as soon as all announcements were heard.
    s.loss = 0;
    s.run(s.now() + 3min, [] { return false; });
    check_settled(s);
  }
}

TEST_CASE("announcements of another history are left out, and a newcomer takes what it finds") {
  using Author = Synchronizer::Author;
  const SteadyTime now{};
  const PeerId other;
  const Bytes head = block_digest("head");
  const Epoch first{.number = 1, .base = block_digest("base 1"), .digest = 1};
  const Epoch second{.number = 2, .base = block_digest("base 2"), .digest = 2};
  sim::MemoryStore store;
  const auto replica = *Replica::open(store);
  Synchronizer sync(*replica, {}, 1, now);
  const auto announce = [&](const Epoch& epoch, Author author) {
    auto behind = sync.on_announcement(encode_broadcast({head}, announced_history(epoch)), other,
                                       now, author);
    REQUIRE(behind.has_value());
    return *behind;
  };
  SUBCASE("a newcomer") {
    CHECK_FALSE(announce(first, Author::Ours).has_value());
    CHECK(replica->epoch() == first);
    CHECK(replica->info().work == 1);
  }
  SUBCASE("one that has something already") {
    REQUIRE(replica->write({put_op(test_pin(1))}).has_value());
    CHECK(announce(first, Author::Ours) == first);
    CHECK(announce(first, Author::Foreign) == first);
    CHECK(replica->epoch() == Epoch());
    CHECK(*sync.falls_behind(first));
    CHECK(replica->info().work == 0);
    // A peer of the Go kind cannot say; it may have joined since.
    CHECK_FALSE(announce(Epoch(), Author::Foreign).has_value());
    CHECK(replica->info().work == 1);
  }
  SUBCASE("one that is ahead") {
    REQUIRE(replica->write({put_op(test_pin(1))}).has_value());
    REQUIRE(replica->set_epoch(second).has_value());
    CHECK_FALSE(announce(first, Author::Ours).has_value());
    CHECK_FALSE(announce(Epoch(), Author::Ours).has_value());
    CHECK(replica->info().work == 0);
    CHECK_FALSE(announce(second, Author::Ours).has_value());
    CHECK(replica->info().work == 1);
  }
  SUBCASE("one that heard of it through a Go peer") {
    const auto made = replica->write({put_op(test_pin(1))});
    CHECK_FALSE(announce({.number = 1, .base = made->front()}, Author::Ours).has_value());
    CHECK(replica->epoch().number == 1);
  }
}

}  // namespace
}  // namespace ica::crdt
