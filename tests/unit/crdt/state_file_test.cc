#include "agent/crdt/state_file.h"

#include <sstream>

#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::Peer;
using test::put_op;
using test::remove_op;
using test::ScratchDir;
using test::test_cid;
using test::test_pin;

TEST_CASE("an export has every pin on a line of its own, and a pinset made of it is the same") {
  ScratchDir dir;
  Peer peer(dir.path() / "a");
  std::vector<LocalOp> ops;
  for (uint64_t i = 0; i < 5000; ++i) {
    ops.push_back(put_op(test_pin(i, "name " + std::to_string(i))));
  }
  REQUIRE(peer.replica->write(ops).has_value());
  REQUIRE(peer.replica->write({remove_op(test_cid(1)), {pack_key("/odd"), "value"}}).has_value());
  std::stringstream text;
  CHECK(*export_state(*peer.store, text) == 4999);
  CHECK(text.str().starts_with("{\"replication_factor_min\":-1,"));

  Peer other(dir.path() / "b");
  ops.clear();
  std::string line;
  while (std::getline(text, line)) {
    const auto pin = api::pin_from_json(line);
    REQUIRE(pin.has_value());
    ops.push_back(put_op(*pin));
  }
  REQUIRE(other.replica->write(ops).has_value());
  std::stringstream again;
  CHECK(*export_state(*other.store, again) == 4999);
  CHECK(again.str() == text.str());
}

TEST_CASE("a pin that cannot be read and an output that fails are errors") {
  ScratchDir dir;
  Peer peer(dir.path());
  REQUIRE(peer.replica->write({put_op(test_pin(1))}).has_value());
  std::stringstream full;
  full.setstate(std::ios::badbit);
  CHECK(export_state(*peer.store, full).error().code() == Code::Io);
  store::Batch batch;
  batch.put(store::Family::Pins, test_cid(2).bytes(), "no pin");
  REQUIRE(peer.store->commit(std::move(batch), store::Sync::Yes).has_value());
  std::stringstream out;
  CHECK_FALSE(export_state(*peer.store, out).has_value());
}

}  // namespace
}  // namespace ica::crdt
