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

// What a running peer does: the short history is written beside the present one and takes its
// place.
Epoch compact_in_place(store::Store& store, Replica& replica, uint64_t number) {
  sim::MemoryStore beside;
  Epoch next;
  next.number = number;
  next.began = 1'800'000'000;
  const auto made = write_short_history(store, beside, next);
  REQUIRE(made.has_value());
  REQUIRE(store.replace(short_history_content(), beside).has_value());
  REQUIRE(replica.reload().has_value());
  return *made;
}

TEST_CASE("in place: the values stay, the old nodes are known and gone, and writing goes on") {
  sim::MemoryStore store;
  const auto replica = *Replica::open(store);
  churn(*replica, 0);
  const auto before = sim::values_of(store);
  const auto info = replica->info();
  const auto old_heads = replica->heads();
  const Epoch epoch = compact_in_place(store, *replica, 1);
  CHECK(epoch.height == info.height);
  CHECK(epoch.digest == info.digest);
  CHECK(replica->epoch() == epoch);
  CHECK(replica->heads() == std::vector<Bytes>{epoch.base});
  CHECK(replica->info().digest == info.digest);
  CHECK(replica->info().pins == info.pins);
  CHECK(replica->info().blocks == 1);
  CHECK(sim::values_of(store).size() == before.size());
  sim::check_totals(store, replica->info());
  for (const Bytes& head : old_heads) {
    CHECK(*replica->merged(head));
    CHECK_FALSE(replica->block(head)->has_value());
  }
  // Somebody who still has the old history announces it.
  CHECK(replica->receive_heads(old_heads)->wanted.empty());
  CHECK(replica->info().work == 0);
  // What is removed from now on stays away.
  REQUIRE(replica->write({remove_op(test_cid(1)), put_op(test_pin(3, "z"))}).has_value());
  CHECK_FALSE(replica->get(test_cid(1), nullptr)->has_value());
  CHECK((*replica->get(test_cid(3), nullptr))->options.name == "z");
  CHECK(replica->info().blocks == 2);

  const auto second_heads = replica->heads();
  compact_in_place(store, *replica, 2);
  CHECK(*replica->merged(second_heads[0]));
  CHECK_FALSE(*replica->merged(old_heads[0]));  // of the history before the last one
  CHECK_FALSE(replica->get(test_cid(1), nullptr)->has_value());
  sim::check_totals(store, replica->info());
  // Also without a change in between no node is one that was there before.
  const auto heads = replica->heads();
  const Epoch third = compact_in_place(store, *replica, 3);
  CHECK(third.base != heads[0]);
  CHECK(third.height > epoch.height + 1);
  CHECK(replica->info().height == third.height + 1);
  CHECK(replica->info().blocks == 1);
}

TEST_CASE("an empty pinset has an empty history") {
  sim::MemoryStore store;
  const auto replica = *Replica::open(store);
  REQUIRE(replica->write({put_op(test_pin(1))}).has_value());
  REQUIRE(replica->write({remove_op(test_cid(1))}).has_value());
  const Epoch epoch = compact_in_place(store, *replica, 1);
  CHECK(epoch.base.empty());
  CHECK(replica->heads().empty());
  CHECK(replica->info().blocks == 0);
  CHECK(load_epoch(store)->number == 1);
}

TEST_CASE("dead at any moment: the old history or the new one, never a mixture") {
  for (const auto point : {store::CommitPoint::Before, store::CommitPoint::After}) {
    CAPTURE(static_cast<int>(point));
    test::ScratchDir dir;
    store::Options options;
    options.path = dir.path() / "db";
    options.memory_budget = 8 << 20;
    bool armed = false;
    options.commit_hook = [&](store::CommitPoint at, uint64_t) -> Status {
      if (armed && at == point) {
        return fail(Code::Io, "dead");
      }
      return {};
    };
    auto store = *store::Store::open(options);
    auto replica = *Replica::open(*store);
    churn(*replica, 5);
    const auto info = replica->info();
    sim::MemoryStore beside;
    Epoch next;
    next.number = 1;
    const Epoch epoch = *write_short_history(*store, beside, next);
    armed = true;
    CHECK_FALSE(store->replace(short_history_content(), beside).has_value());
    armed = false;
    replica.reset();
    store.reset();
    store = *store::Store::open(options);
    replica = *Replica::open(*store);
    CHECK(replica->info().digest == info.digest);
    CHECK(replica->info().pins == info.pins);
    const bool done = point == store::CommitPoint::After;
    CHECK(replica->epoch().number == (done ? 1 : 0));
    CHECK(replica->info().blocks == (done ? 1 : info.blocks));
    CHECK((replica->heads() == std::vector<Bytes>{epoch.base}) == done);
    REQUIRE(replica->write({remove_op(test_cid(1))}).has_value());
    CHECK_FALSE(replica->get(test_cid(1), nullptr)->has_value());
    sim::check_totals(*store, replica->info());
  }
}

}  // namespace
}  // namespace ica::crdt
