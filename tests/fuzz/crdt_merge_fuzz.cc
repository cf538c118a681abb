// A block from outside meets a peer that has a history: whatever is in it, the peer's records agree
// with each other, and the same block again changes nothing.
#include "agent/crdt/records.h"
#include "agent/crdt/replica.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  sim::MemoryStore store;
  const auto replica = crdt::Replica::open(store).value();
  const auto own = replica->write({{crdt::pack_key("/A"), "one"}, {crdt::pack_key("/B"), "two"}});
  ICA_ASSERT(own.has_value());
  const Bytes digest = crdt::block_digest(input);
  ICA_ASSERT(replica->receive_heads({digest}).has_value());
  const auto outcome = replica->merge({{digest, Bytes(input)}});
  ICA_ASSERT(outcome.has_value());
  sim::check_totals(store, replica->info());
  const auto heads = replica->heads();
  ICA_ASSERT(!heads.empty());
  const auto again = replica->merge({{digest, Bytes(input)}});
  ICA_ASSERT(again.has_value() && again->merged == 0);
  const auto restarted = crdt::Replica::open(store).value();
  ICA_ASSERT(restarted->heads() == heads);
  ICA_ASSERT(restarted->info().digest == replica->info().digest);
  // A write on top of it works.
  ICA_ASSERT(replica->write({{crdt::pack_key("/A"), std::nullopt}}).has_value());
  sim::check_totals(store, replica->info());
}
