#include <algorithm>
#include <random>

#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::Peer;
using test::put_op;
using test::remove_op;
using test::ScratchDir;
using test::test_cid;
using test::test_pin;

// Gives `to` everything that follows from a head of `from`, block by block.
void pull(Peer& to, const Peer& from, const std::vector<Bytes>& heads) {
  REQUIRE(to.replica->receive_heads(heads).has_value());
  for (;;) {
    const auto work = *to.replica->work({}, 10);
    if (work.empty()) {
      return;
    }
    std::vector<Fetched> blocks;
    for (const auto& digest : work) {
      auto block = *from.replica->block(digest);
      REQUIRE(block.has_value());
      blocks.push_back({digest, *block});
    }
    REQUIRE(to.replica->merge(blocks).has_value());
  }
}

void check_equal(const Peer& a, const Peer& b) {
  const auto left = test::contents(*a.store);
  const auto right = test::contents(*b.store);
  CHECK(left.values == right.values);
  CHECK(left.live == right.live);
  CHECK(a.replica->info().digest == b.replica->info().digest);
  CHECK(a.replica->heads() == b.replica->heads());
}

class Recorder final : public StateObserver {
 public:
  void on_change(const PinChange& change, store::Batch& batch) override {
    changes.push_back(change);
    batch.put(store::Family::Events, change.cid.bytes(), change.after ? "there" : "gone");
  }
  void on_committed(const Status& outcome) override { outcomes.push_back(outcome.has_value()); }
  std::vector<PinChange> changes;
  std::vector<bool> outcomes;
};

TEST_CASE("indexes: pins of a peer, pins of a name, the peers themselves, the next expiry") {
  ScratchDir dir;
  Peer peer(dir.path());
  const auto holder = [](char c) {
    return PeerId::from_bytes(std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(32, c))
        .value();
  };
  CHECK(!peer.replica->next_expiry()->has_value());
  CHECK(peer.replica->allocated_peers()->empty());
  std::set<Cid> of_a;
  for (uint64_t i = 0; i < 50; ++i) {
    api::Pin pin = test_pin(i, i % 2 == 0 ? "even" : std::string("even\0odd", 8));
    pin.options.replication_factor_min = pin.options.replication_factor_max = 1;
    pin.allocations.items = {holder(i % 5 == 0 ? 'a' : 'b')};
    pin.options.expire_at = Time::from_unix(static_cast<int64_t>(5000 - i));
    if (i % 5 == 0) {
      of_a.insert(pin.cid);
    }
    REQUIRE(peer.replica->write({put_op(pin)}).has_value());
  }
  REQUIRE(peer.replica->write({put_op(test_pin(100))}).has_value());
  CHECK(*peer.replica->allocated_peers() == std::vector<PeerId>{holder('a'), holder('b')});
  CHECK(**peer.replica->next_expiry() == Time::from_unix(4951));
  std::vector<Cid> read;
  while (true) {
    const auto page =
        *peer.replica->allocated_to(holder('a'), read.empty() ? Cid() : read.back(), 3, nullptr);
    if (page.empty()) {
      break;
    }
    read.insert(read.end(), page.begin(), page.end());
  }
  CHECK(read == std::vector<Cid>(of_a.begin(), of_a.end()));
  CHECK(peer.replica->allocated_to(holder('c'), Cid(), 3, nullptr)->empty());
  CHECK(peer.replica->named("even", Cid(), 100, nullptr)->size() == 25);
  const auto first = *peer.replica->named("even", Cid(), 10, nullptr);
  CHECK(peer.replica->named("even", first.back(), 100, nullptr)->size() == 15);
  CHECK(peer.replica->named("eve", Cid(), 100, nullptr)->empty());
}

TEST_CASE("pins with more peers than their maximum are found, until they have no more") {
  ScratchDir dir;
  Peer peer(dir.path());
  std::vector<PeerId> holders;
  for (const char c : {'a', 'b', 'c'}) {
    holders.push_back(
        PeerId::from_bytes(std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(32, c))
            .value());
  }
  std::vector<api::Pin> pins;
  for (uint64_t i = 0; i < 4; ++i) {
    api::Pin pin = test_pin(i);
    pin.options.replication_factor_min = 1;
    pin.options.replication_factor_max = 2;
    pin.allocations.items.assign(holders.begin(), holders.begin() + (i < 2 ? 3 : 2));
    REQUIRE(peer.replica->write({put_op(pin)}).has_value());
    pins.push_back(std::move(pin));
  }
  api::Pin everywhere = test_pin(9);
  everywhere.options.replication_factor_min = everywhere.options.replication_factor_max = -1;
  REQUIRE(peer.replica->write({put_op(everywhere)}).has_value());
  CHECK(peer.replica->crowded(Cid(), 10, nullptr)->size() == 2);
  CHECK(peer.replica->crowded(Cid(), 1, nullptr)->size() == 1);
  CHECK(*peer.replica->allocated_peers() == holders);
  pins[0].allocations.items.pop_back();
  REQUIRE(peer.replica->write({put_op(pins[0])}).has_value());
  CHECK(*peer.replica->crowded(Cid(), 10, nullptr) == std::vector<Cid>{pins[1].cid});
  pins[1].options.replication_factor_max = 3;
  REQUIRE(peer.replica->write({put_op(pins[1])}).has_value());
  CHECK(peer.replica->crowded(Cid(), 10, nullptr)->empty());
}

TEST_CASE("writes, reads, pages, totals, and all of it again after a restart") {
  ScratchDir dir;
  Peer peer(dir.path());
  CHECK(peer.replica->info().pins == 0);
  std::vector<LocalOp> ops;
  std::vector<Cid> cids;
  for (uint64_t i = 0; i < 100; ++i) {
    ops.push_back(put_op(test_pin(i)));
    cids.push_back(test_cid(i));
  }
  std::sort(cids.begin(), cids.end());
  REQUIRE(peer.replica->write(ops)->size() == 1);
  for (int round = 0; round < 2; ++round) {
    CHECK(peer.replica->info().pins == 100);
    CHECK(peer.replica->info().height == 1);
    CHECK(peer.replica->info().blocks == 1);
    CHECK(peer.replica->heads().size() == 1);
    test::check_totals(peer);
    const auto pin = *peer.replica->get(test_cid(7), nullptr);
    REQUIRE(pin.has_value());
    CHECK(api::encode_pin(*pin) == api::encode_pin(test_pin(7)));
    CHECK_FALSE((*peer.replica->get(test_cid(1000), nullptr)).has_value());
    std::vector<Cid> seen;
    auto snapshot = peer.replica->snapshot();
    for (Cid after;;) {
      const auto page = *peer.replica->page(after, 7, snapshot);
      if (page.empty()) {
        break;
      }
      for (const auto& p : page) {
        seen.push_back(p.cid);
      }
      after = page.back().cid;
    }
    CHECK(seen == cids);
    snapshot.reset();  // it would keep the database open
    peer.restart();
  }
  REQUIRE(peer.replica->write({remove_op(test_cid(7)), remove_op(test_cid(1000))})->size() == 1);
  CHECK(peer.replica->info().pins == 99);
  CHECK(peer.replica->write({remove_op(test_cid(7))})->empty());
  CHECK(peer.replica->info().height == 2);
  test::check_totals(peer);
}

TEST_CASE("observers see each change once, with what was before, and share its batch") {
  ScratchDir dir;
  Peer peer(dir.path());
  Recorder recorder;
  peer.replica->observe(recorder);
  REQUIRE(peer.replica->write({put_op(test_pin(1, "a"))}).has_value());
  REQUIRE(peer.replica->write({put_op(test_pin(1, "b")), put_op(test_pin(2))}).has_value());
  REQUIRE(peer.replica->write({put_op(test_pin(2))}).has_value());  // the same bytes again
  REQUIRE(peer.replica->write({remove_op(test_cid(1))}).has_value());
  REQUIRE(recorder.changes.size() == 4);
  CHECK_FALSE(recorder.changes[0].before.has_value());
  CHECK(recorder.changes[0].after->options.name == "a");
  const auto& renamed =
      recorder.changes[1].cid == test_cid(1) ? recorder.changes[1] : recorder.changes[2];
  CHECK(renamed.before->options.name == "a");
  CHECK(renamed.after->options.name == "b");
  CHECK(recorder.changes[3].before->options.name == "b");
  CHECK_FALSE(recorder.changes[3].after.has_value());
  CHECK(recorder.outcomes == std::vector<bool>{true, true, true, true});
  CHECK(**peer.store->get(store::Family::Events, test_cid(1).bytes()) == "gone");
  CHECK(**peer.store->get(store::Family::Events, test_cid(2).bytes()) == "there");
}

TEST_CASE("the indexes follow the pins") {
  using store::Family;
  ScratchDir dir;
  Peer peer(dir.path());
  const auto a = *PeerId::from_bytes(block_cid(block_digest("a")).multihash());
  const auto b = *PeerId::from_bytes(block_cid(block_digest("b")).multihash());
  auto pin = test_pin(1, "first");
  pin.allocations = {{a, b}, true};
  pin.options.expire_at = Time::from_unix(2'000);
  const auto count = [&](Family family, const Bytes& prefix) {
    size_t n = 0;
    auto cursor = peer.store->cursor(family, prefix);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      ++n;
    }
    return n;
  };
  REQUIRE(peer.replica->write({put_op(pin)}).has_value());
  CHECK(count(Family::ByPeer, by_peer_prefix(a)) == 1);
  CHECK(count(Family::ByPeer, by_peer_prefix(b)) == 1);
  CHECK(count(Family::ByName, by_name_prefix("first")) == 1);
  CHECK(*peer.replica->expired(Time::from_unix(2'001), 10) == std::vector<Cid>{pin.cid});
  CHECK(*peer.replica->expired(Time::from_unix(2'000, 1), 10) == std::vector<Cid>{pin.cid});
  CHECK(peer.replica->expired(Time::from_unix(2'000), 10)->empty());
  CHECK(peer.replica->expired(Time::from_unix(2'001), 0)->empty());

  pin.allocations.items = {b};
  pin.options.name = "second";
  pin.options.expire_at = Time::from_unix(9'000);
  REQUIRE(peer.replica->write({put_op(pin)}).has_value());
  CHECK(count(Family::ByPeer, {}) == 1);
  CHECK(count(Family::ByName, by_name_prefix("first")) == 0);
  CHECK(count(Family::ByName, by_name_prefix("second")) == 1);
  CHECK(peer.replica->expired(Time::from_unix(2'001), 10)->empty());
  REQUIRE(peer.replica->write({remove_op(pin.cid)}).has_value());
  for (const Family family : {Family::ByPeer, Family::ByName, Family::ByExpiry, Family::Pins,
                              Family::Elems, Family::Tombs}) {
    CHECK(count(family, {}) == 0);
  }
}

TEST_CASE("a failed commit leaves everything as it was, in memory too") {
  ScratchDir dir;
  bool refuse = false;
  store::Options options;
  options.path = dir.path();
  options.commit_hook = [&](store::CommitPoint point, uint64_t) -> Status {
    return refuse && point == store::CommitPoint::Before ? Status(fail(Code::Io, "disk full"))
                                                         : Status();
  };
  auto store = *store::Store::open(options);
  auto replica = *Replica::open(*store);
  Recorder recorder;
  replica->observe(recorder);
  REQUIRE(replica->write({put_op(test_pin(1))}).has_value());
  const auto info = replica->info();
  const auto heads = replica->heads();
  refuse = true;
  CHECK(replica->write({put_op(test_pin(2))}).error().code() == Code::Io);
  CHECK(replica->receive_heads({block_digest("x")}).error().code() == Code::Io);
  CHECK(recorder.outcomes == std::vector<bool>{true, false, false});
  CHECK(replica->info().pins == info.pins);
  CHECK(replica->info().digest == info.digest);
  CHECK(replica->info().work == 0);
  CHECK(replica->heads() == heads);
  refuse = false;
  REQUIRE(replica->write({put_op(test_pin(2))}).has_value());
  CHECK(replica->info().pins == 2);
  CHECK(replica->info().height == 2);
}

TEST_CASE("large groups become several nodes of at most 1 MiB") {
  ScratchDir dir;
  Peer peer(dir.path());
  std::vector<LocalOp> ops;
  for (uint64_t i = 0; i < 300; ++i) {
    auto pin = test_pin(i);
    pin.options.metadata = {{"k", std::string(10'000, 'm')}};
    ops.push_back(put_op(pin));
  }
  const auto digests = *peer.replica->write(ops);
  CHECK(digests.size() == 3);
  for (const auto& digest : digests) {
    CHECK((*peer.replica->block(digest))->size() <= kMaxDeltaBytes + 1024);
  }
  CHECK(peer.replica->heads() == std::vector<Bytes>{digests.back()});
  CHECK(peer.replica->info().pins == 300);
  auto pin = test_pin(1);
  pin.options.metadata = {{"k", std::string(kMaxDeltaBytes, 'm')}};
  CHECK(peer.replica->write({put_op(pin)}).error().code() == Code::TooLarge);
}

TEST_CASE("concurrent writes: the greater bytes win, an unseen addition survives a removal") {
  ScratchDir dir;
  Peer a(dir.path() / "a");
  Peer b(dir.path() / "b");
  REQUIRE(a.replica->write({put_op(test_pin(1, "aaa"))}).has_value());
  REQUIRE(b.replica->write({put_op(test_pin(1, "bbb"))}).has_value());
  const auto heads_of_a = a.replica->heads();
  pull(a, b, b.replica->heads());
  pull(b, a, heads_of_a);
  check_equal(a, b);
  CHECK((*a.replica->get(test_cid(1), nullptr))->options.name == "bbb");
  CHECK(a.replica->heads().size() == 2);

  // b removes what it knows while a puts again.
  REQUIRE(b.replica->write({remove_op(test_cid(1))}).has_value());
  REQUIRE(a.replica->write({put_op(test_pin(1, "again"))}).has_value());
  const auto again = a.replica->heads();
  CHECK(again.size() == 1);
  pull(a, b, b.replica->heads());
  pull(b, a, again);
  check_equal(a, b);
  CHECK((*b.replica->get(test_cid(1), nullptr))->options.name == "again");
  // What was tombstoned is gone for good, the older values do not come back.
  REQUIRE(a.replica->write({remove_op(test_cid(1))}).has_value());
  CHECK(test::contents(*a.store).live.empty());
}

TEST_CASE("a removal that leaves an older addition alive brings its value back") {
  ScratchDir dir;
  Peer a(dir.path() / "a");
  Peer b(dir.path() / "b");
  Peer c(dir.path() / "c");
  // a writes twice, so that its value has the higher priority; b's single write is concurrent.
  REQUIRE(a.replica->write({put_op(test_pin(9))}).has_value());
  REQUIRE(a.replica->write({put_op(test_pin(1, "high"))}).has_value());
  REQUIRE(b.replica->write({put_op(test_pin(1, "low"))}).has_value());
  const auto before = a.replica->heads();
  REQUIRE(a.replica->write({remove_op(test_cid(1))}).has_value());
  pull(c, a, before);
  pull(c, b, b.replica->heads());
  CHECK((*c.replica->get(test_cid(1), nullptr))->options.name == "high");
  pull(c, a, a.replica->heads());
  CHECK((*c.replica->get(test_cid(1), nullptr))->options.name == "low");
  pull(b, a, a.replica->heads());
  check_equal(b, c);
}

TEST_CASE("values that are no pins are kept for the other peers and are not listed") {
  ScratchDir dir;
  Peer a(dir.path() / "a");
  Peer b(dir.path() / "b");
  Recorder recorder;
  b.replica->observe(recorder);
  REQUIRE(a.replica
              ->write({{pack_key("/odd"), "value"},
                       {pack_key(test_cid(1)), "\x0a\xff"},
                       put_op(test_pin(2))})
              .has_value());
  pull(b, a, a.replica->heads());
  check_equal(a, b);
  CHECK(b.replica->info().pins == 1);
  CHECK(b.replica->page({}, 10, nullptr)->size() == 1);
  CHECK_FALSE((*b.replica->get(test_cid(1), nullptr)).has_value());
  REQUIRE(recorder.changes.size() == 1);
  test::check_totals(b);
  // It becomes a pin, and none again.
  REQUIRE(a.replica->write({put_op(test_pin(1))}).has_value());
  pull(b, a, a.replica->heads());
  CHECK(b.replica->info().pins == 2);
  REQUIRE(a.replica->write({{pack_key(test_cid(1)), "\x0a\xff"}}).has_value());
  pull(b, a, a.replica->heads());
  CHECK(b.replica->info().pins == 1);
  check_equal(a, b);
  test::check_totals(b);
  REQUIRE(recorder.changes.size() == 3);
  CHECK_FALSE(recorder.changes.back().after.has_value());
}

// Naive sets in memory, after the rules of the reference, as a second opinion.
struct Model {
  struct Add {
    Bytes value;
    uint64_t priority;
  };
  std::map<std::string, std::map<std::string, Add>> adds;
  std::set<std::pair<std::string, std::string>> tombs;

  void merge(const Bytes& digest, BytesView block) {
    const auto node = *decode_node(block);
    const auto delta = *decode_delta(node.delta);
    for (const auto& t : delta.tombstones) {
      tombs.insert({std::string(t.key), std::string(t.id)});
    }
    for (const auto& e : delta.elements) {
      adds[std::string(e.key)][id_text(pack_id_of_digest(digest))] = {Bytes(e.value),
                                                                      delta.priority};
    }
  }
  std::map<std::string, std::pair<Bytes, uint64_t>> values() const {
    std::map<std::string, std::pair<Bytes, uint64_t>> out;
    for (const auto& [key, ids] : adds) {
      for (const auto& [id, add] : ids) {
        if (tombs.contains({key, id})) {
          continue;
        }
        const std::pair<uint64_t, Bytes> candidate{add.priority, add.value};
        const auto it = out.find(key);
        if (it == out.end() ||
            candidate > std::pair<uint64_t, Bytes>{it->second.second, it->second.first}) {
          out[key] = {add.value, add.priority};
        }
      }
    }
    return out;
  }
};

// `rounds` of random writes on replicas that exchange blocks in any order, some twice, some never
// directly, with restarts. In the end everybody has everything.
void random_history(uint64_t seed, int rounds) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  ScratchDir dir;
  std::vector<std::unique_ptr<Peer>> peers;
  peers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    peers.push_back(std::make_unique<Peer>(dir.path() / std::to_string(i)));
  }
  std::map<Bytes, Bytes> all;  // every block ever made
  const auto some_work = [&](Peer& to, size_t limit) {
    auto work = *to.replica->work({}, 100);
    std::shuffle(work.begin(), work.end(), random);
    work.resize(std::min(work.size(), limit));
    std::vector<Fetched> blocks;
    for (const auto& digest : work) {
      blocks.push_back({digest, all.at(digest)});
      if (below(4) == 0) {
        blocks.push_back(blocks.back());  // twice
      }
    }
    REQUIRE(to.replica->merge(blocks).has_value());
  };
  for (int round = 0; round < rounds; ++round) {
    Peer& peer = *peers[below(peers.size())];
    switch (below(10)) {
      default: {
        std::map<Bytes, LocalOp> group;
        for (uint64_t i = 0, n = 1 + below(4); i < n; ++i) {
          const uint64_t key = below(6);
          auto op = below(3) == 0 ? remove_op(test_cid(key))
                                  : put_op(test_pin(key, std::to_string(below(50))));
          group[op.key] = op;
        }
        std::vector<LocalOp> ops;
        ops.reserve(group.size());
        for (auto& [key, op] : group) {
          ops.push_back(op);
        }
        const auto made = peer.replica->write(ops);
        REQUIRE(made.has_value());
        for (const auto& digest : *made) {
          all[digest] = **peer.replica->block(digest);
        }
        break;
      }
      case 5:
      case 6:
      case 7: {
        const auto heads = peers[below(peers.size())]->replica->heads();
        REQUIRE(peer.replica->receive_heads(heads).has_value());
        break;
      }
      case 8:
        some_work(peer, 1 + below(3));
        break;
      case 9:
        if (below(4) == 0) {
          peer.restart();
        }
        break;
    }
  }
  Model model;
  for (const auto& [digest, block] : all) {
    model.merge(digest, block);
  }
  for (bool more = true; more;) {
    more = false;
    for (auto& to : peers) {
      for (auto& from : peers) {
        const auto outcome = to->replica->receive_heads(from->replica->heads());
        REQUIRE(outcome.has_value());
        more = more || !outcome->wanted.empty();
      }
      while (to->replica->info().work > 0) {
        some_work(*to, 5);
      }
    }
  }
  const auto expected = model.values();
  for (const auto& peer : peers) {
    const auto is = test::contents(*peer->store);
    CHECK(is.values == expected);
    CHECK(is.tombs.empty());  // every block is merged
    check_equal(*peer, *peers.front());
    CHECK(peer->replica->info().blocks == all.size());
    test::check_totals(*peer);
  }
  // Heads are tips: no block links to one.
  std::set<Bytes> linked;
  for (const auto& [digest, block] : all) {
    const auto node = *decode_node(block);
    linked.insert(node.links.begin(), node.links.end());
  }
  std::vector<Bytes> tips;
  for (const auto& [digest, block] : all) {
    if (!linked.contains(digest)) {
      tips.push_back(digest);
    }
  }
  CHECK(peers.front()->replica->heads() == tips);
}

TEST_CASE(
    "replicas with random histories, drops, repeats and reorders agree with each other and the "
    "rules") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    random_history(seed, 150);
  }
}

}  // namespace
}  // namespace ica::crdt
