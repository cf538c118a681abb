#include "agent/crdt/rebuild.h"

#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::put_op;
using test::remove_op;
using test::test_cid;
using test::test_pin;

TEST_CASE("from the nodes alone the same pinset comes back; what is lost is asked for") {
  sim::MemoryStore original;
  const auto replica = *Replica::open(original);
  std::vector<Bytes> digests;
  for (uint64_t i = 0; i < 600; ++i) {
    const uint64_t key = i * 7 % 90;
    const auto made =
        *replica->write({i % 4 == 3 ? remove_op(test_cid(key)) : put_op(test_pin(key, "n"))});
    digests.insert(digests.end(), made.begin(), made.end());
  }
  sim::MemoryStore salvaged;
  store::Batch batch;
  for (size_t i = 0; i < digests.size(); ++i) {
    batch.put(store::Family::Blocks, digests[i], **replica->block(digests[i]));
  }
  batch.put(store::Family::Blocks, block_digest("a"), "not what its name says");
  batch.put(store::Family::Pins, "rubbish", "rubbish");
  SUBCASE("all nodes") {}
  SUBCASE("one is lost") {
    batch.del(store::Family::Blocks, digests[digests.size() / 2]);
  }
  REQUIRE(salvaged.commit(std::move(batch), store::Sync::Yes).has_value());
  sim::MemoryStore target;
  const auto rebuilt = *Replica::open(target);
  const auto report = *rebuild(salvaged, *rebuilt);
  CHECK(report.damaged == 1);
  if (report.missing > 0) {
    CHECK(report.missing == 1);
    const auto wanted = *rebuilt->work({}, 10);
    REQUIRE(wanted.size() == 1);
    REQUIRE(rebuilt->merge({{wanted[0], **replica->block(wanted[0])}}).has_value());
    REQUIRE(rebuild(salvaged, *rebuilt).has_value());  // what was below it
  }
  CHECK(rebuilt->info().work == 0);
  CHECK(rebuilt->info().digest == replica->info().digest);
  CHECK(rebuilt->heads() == replica->heads());
  CHECK(sim::values_of(target) == sim::values_of(original));
}

}  // namespace
}  // namespace ica::crdt
