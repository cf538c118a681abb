// What a trusted peer can do to us with nodes and announcements of its own making: bounded memory,
// and nobody else waits.
#include "agent/crdt/synchronizer.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using namespace std::chrono_literals;

Fetched node(std::vector<Bytes> links, uint64_t priority, const std::string& key) {
  std::sort(links.begin(), links.end());
  const Bytes block =
      encode_node({std::move(links), encode_delta({{{key, "", "v"}}, {}, priority})});
  return {block_digest(block), block};
}

// One peer whose questions are answered from a map; what is not in it is not served.
struct Victim {
  Victim() : replica(*Replica::open(store)), sync(*replica, {}, 1, now) {}

  void announce(const std::vector<Bytes>& heads) {
    REQUIRE(sync.on_announcement(encode_broadcast(heads), attacker, now).has_value());
  }
  // Asks once and answers; what is not served stays unanswered.
  size_t round() {
    const auto actions = *sync.poll(now);
    for (const auto& request : actions.requests) {
      ++asked;
      if (const auto it = blocks.find(request.digest); it != blocks.end()) {
        REQUIRE(sync.on_block(request.digest, it->second, attacker, now).has_value());
      } else {
        unanswered.push_back(request.digest);
      }
    }
    while (sync.has_arrived()) {
      REQUIRE(sync.merge_some(now).has_value());
    }
    return actions.requests.size();
  }
  void fail_unanswered() {
    for (const auto& digest : std::exchange(unanswered, {})) {
      REQUIRE(sync.on_block(digest, std::nullopt, {}, now).has_value());
    }
  }
  bool merged(const Fetched& fetched) { return *replica->merged(fetched.digest); }

  SteadyTime now{};
  sim::MemoryStore store;
  std::unique_ptr<Replica> replica;
  Synchronizer sync;
  PeerId attacker = *PeerId::from_bytes(block_cid(block_digest("attacker")).multihash());
  std::map<Bytes, Bytes> blocks;
  std::vector<Bytes> unanswered;
  size_t asked = 0;
};

TEST_CASE("a chain of any depth costs one question a node and no memory") {
  constexpr size_t kDepth = 5'000;
  Victim v;
  std::vector<Bytes> links;
  for (size_t i = 0; i < kDepth; ++i) {
    auto next = node(links, i + 1, "/" + std::to_string(i % 100));
    links = {next.digest};
    v.blocks[next.digest] = std::move(next.block);
  }
  v.announce(links);
  while (v.round() > 0) {
    CHECK(v.replica->info().work <= 1);
  }
  CHECK(v.asked == kDepth);
  CHECK(v.replica->heads() == links);
  CHECK(v.replica->info().height == kDepth);
}

TEST_CASE("links to nodes that do not exist keep no other change waiting") {
  Victim v;
  std::vector<Bytes> nowhere;
  for (size_t i = 0; i < 20'000; ++i) {
    nowhere.push_back(block_digest("nowhere " + std::to_string(i)));
  }
  const auto trap = node(nowhere, 5, "/trap");
  v.blocks[trap.digest] = trap.block;
  v.announce({trap.digest});
  v.round();
  CHECK(v.merged(trap));
  CHECK(v.replica->info().work == nowhere.size());
  // All places for questions are taken by ones that nobody answers, and the window is full.
  while (v.round() > 0) {
  }
  CHECK(v.unanswered.size() == 32);
  const auto honest = node({}, 6, "/honest");
  v.blocks[honest.digest] = honest.block;
  v.announce({honest.digest});
  v.round();
  CHECK(v.merged(honest));
  CHECK(v.replica->heads() == std::vector<Bytes>{honest.digest});
  // Also on top of the trap: the value counts, only a head of ours it is not.
  const auto above = node({trap.digest, honest.digest}, 7, "/above");
  v.blocks[above.digest] = above.block;
  v.announce({above.digest});
  v.round();
  CHECK(v.merged(above));
  CHECK(v.replica->info().height == 7);
}

TEST_CASE("announced heads that nobody serves make room for others") {
  Victim v;
  for (size_t i = 0; i < 4; ++i) {
    std::vector<Bytes> heads;
    for (size_t n = 0; n < 1000; ++n) {
      heads.push_back(block_digest(fmt::format("head {} {}", i, n)));
    }
    v.announce(heads);
    while (v.round() > 0) {
      v.fail_unanswered();
    }
  }
  CHECK(v.replica->info().work <= Transaction::kMaxGroups);
  const auto honest = node({}, 1, "/honest");
  v.blocks[honest.digest] = honest.block;
  v.announce({honest.digest});
  v.round();
  CHECK(v.merged(honest));
  // What is left is given up in the end.
  for (int i = 0; i < 40 && v.replica->info().work > 0; ++i) {
    v.now += 60s;
    while (v.round() > 0) {
      v.fail_unanswered();
    }
  }
  CHECK(v.replica->info().work == 0);
}

TEST_CASE("nodes and deltas beyond the bounds are left out; the largest ones are merged") {
  Victim v;
  const auto wide = [](size_t entries) {
    std::vector<std::string> keys;
    Delta delta;
    for (size_t i = 0; i < entries; ++i) {
      keys.push_back("/" + std::to_string(i));
    }
    for (const auto& key : keys) {
      delta.elements.push_back({key, "", "v"});
    }
    delta.priority = 1;
    const Bytes block = encode_node({{}, encode_delta(delta)});
    return Fetched{block_digest(block), block};
  };
  const auto many = wide(40'000);
  const auto too_many = wide(kMaxDeltaEntries + 1);
  const Bytes large_block = encode_node({{}, Bytes(kMaxBlockBytes, 'x')});
  const Fetched too_large{block_digest(large_block), large_block};
  for (const auto& fetched : {many, too_many, too_large}) {
    v.blocks[fetched.digest] = fetched.block;
    v.announce({fetched.digest});
  }
  while (v.round() > 0) {
  }
  CHECK(v.merged(many));
  CHECK_FALSE(v.merged(too_many));
  CHECK_FALSE(v.merged(too_large));
  CHECK(v.replica->info().work == 0);
  CHECK(v.replica->heads() == std::vector<Bytes>{many.digest});
  CHECK(sim::values_of(v.store).size() == 40'000);
}

TEST_CASE("a key with very many living additions is removed in one go") {
  Victim v;
  constexpr uint64_t kTimes = 1000;
  for (uint64_t i = 0; i < kTimes; ++i) {
    REQUIRE(v.replica->write({{pack_key("/k"), std::to_string(i)}}).has_value());
  }
  REQUIRE(v.replica->write({{pack_key("/k"), std::nullopt}}).has_value());
  CHECK(sim::values_of(v.store).empty());
  CHECK(v.replica->info().heads == 1);
}

}  // namespace
}  // namespace ica::crdt
