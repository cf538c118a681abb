#include "agent/crdt/compact.h"

#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::put_op;
using test::remove_op;
using test::test_cid;
using test::test_pin;

void churn(Replica& replica, uint64_t seed) {
  for (uint64_t i = 0; i < 300; ++i) {
    const uint64_t key = (i * 7 + seed) % 50;
    REQUIRE(replica.write({i % 3 == 0 ? remove_op(test_cid(key)) : put_op(test_pin(key, "x"))})
                .has_value());
  }
  for (uint64_t key = 0; key < 50; ++key) {  // the same in the end
    REQUIRE(replica.write({key % 2 == 0 ? remove_op(test_cid(key)) : put_op(test_pin(key, "y"))})
                .has_value());
  }
  REQUIRE(replica.write({{pack_key("/odd"), "value"}}).has_value());
}

TEST_CASE("peers with the same values get the same short history, each by itself") {
  std::vector<std::vector<Bytes>> heads;
  for (const uint64_t seed : {0, 3}) {
    sim::MemoryStore from;
    sim::MemoryStore to;
    const auto replica = *Replica::open(from);
    churn(*replica, seed);
    store::Batch other;
    other.put(store::Family::Status, "somebody's", "record");
    REQUIRE(from.commit(std::move(other), store::Sync::Yes).has_value());
    REQUIRE(copy_with_short_history(from, to).has_value());
    const auto compacted = *Replica::open(to);
    const auto before = sim::values_of(from);
    auto after = sim::values_of(to);
    REQUIRE(before.size() == after.size());
    for (auto& [key, value] : after) {
      CHECK(value.first == before.at(key).first);
    }
    CHECK(sim::values_by_rule(to) == after);
    sim::check_totals(to, compacted->info());
    CHECK(compacted->info().digest == replica->info().digest);
    CHECK(compacted->info().blocks == 1);
    CHECK(**to.get(store::Family::Status, "somebody's") == "record");
    heads.push_back(compacted->heads());
  }
  CHECK(heads[0] == heads[1]);
}

TEST_CASE("a peer that is not in step keeps its history") {
  sim::MemoryStore from;
  sim::MemoryStore to;
  const auto replica = *Replica::open(from);
  REQUIRE(replica->receive_heads({block_digest("not here")}).has_value());
  CHECK(copy_with_short_history(from, to).error().code() == Code::Conflict);
}

}  // namespace
}  // namespace ica::crdt
