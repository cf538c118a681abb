#include "agent/crdt/state_file.h"

#include <sstream>

#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::Peer;
using test::put_op;
using test::ScratchDir;
using test::test_cid;
using test::test_pin;

std::string exported(const store::Store& store) {
  std::ostringstream out;
  REQUIRE(export_state(store, out).has_value());
  return out.str();
}

TEST_CASE("what is exported is imported, on another peer and over what was there") {
  ScratchDir dir;
  std::string text;
  uint64_t digest = 0;
  {
    Peer peer(dir.path() / "a");
    std::vector<LocalOp> ops;
    for (uint64_t i = 0; i < 5000; ++i) {
      ops.push_back(put_op(test_pin(i, "name " + std::to_string(i))));
    }
    REQUIRE(peer.replica->write(ops).has_value());
    text = exported(*peer.store);
    digest = peer.replica->info().digest;
  }
  CHECK(std::count(text.begin(), text.end(), '\n') == 5000);
  CHECK(text.starts_with("{\"replication_factor_min\":-1,"));
  Peer other(dir.path() / "b");
  REQUIRE(other.replica->write({put_op(test_pin(77777))}).has_value());
  std::istringstream in(text);
  const auto report = import_state(*other.store, in, {});
  REQUIRE(report.has_value());
  CHECK(report->read == 5000);
  CHECK(report->added == 5000);
  other.restart();
  CHECK(other.replica->info().pins == 5000);
  CHECK(other.replica->info().digest == digest);
  CHECK(exported(*other.store) == text);
  test::check_totals(other);
}

TEST_CASE("a merge only adds; a dry run only counts") {
  ScratchDir dir;
  Peer peer(dir.path());
  REQUIRE(
      peer.replica->write({put_op(test_pin(1, "one")), put_op(test_pin(2, "two"))}).has_value());
  const std::string before = exported(*peer.store);
  const std::string text = api::to_json(test_pin(1, "one")) + "\n\n" +
                           api::to_json(test_pin(2, "other")) + "\n" +
                           api::to_json(test_pin(3, "three"));  // without an end
  for (const bool dry_run : {true, false}) {
    std::istringstream in(text);
    ImportOptions options;
    options.merge = true;
    options.dry_run = dry_run;
    const auto report = import_state(*peer.store, in, options);
    REQUIRE(report.has_value());
    CHECK(report->read == 3);
    CHECK(report->unchanged == 1);
    CHECK(report->kept == 1);
    CHECK(report->added == 1);
    CHECK((exported(*peer.store) == before) == dry_run);
  }
  peer.restart();
  CHECK(peer.replica->info().pins == 3);
  CHECK((*peer.replica->get(test_cid(2), nullptr))->options.name == "two");
}

TEST_CASE("a bad line is named and changes nothing") {
  ScratchDir dir;
  Peer peer(dir.path());
  REQUIRE(peer.replica->write({put_op(test_pin(1))}).has_value());
  const std::string before = exported(*peer.store);
  for (const std::string bad : {"{", "[]", "{}", "{\"cid\":\"no\"}"}) {
    std::istringstream in(api::to_json(test_pin(5)) + "\n" + bad + "\n");
    const auto report = import_state(*peer.store, in, {});
    REQUIRE_FALSE(report.has_value());
    CHECK(report.error().message().find("line 2") != std::string::npos);
    CHECK(exported(*peer.store) == before);
  }
  std::istringstream in(std::string(StateReader::kMaxLine + 1, ' '));
  CHECK(import_state(*peer.store, in, {}).error().code() == Code::TooLarge);
}

TEST_CASE("the flags of import change each pin") {
  ScratchDir dir;
  Peer peer(dir.path());
  std::istringstream in(api::to_json(test_pin(1)) + "\n");
  ImportOptions options;
  options.change = [](api::Pin& pin) { pin.options.replication_factor_max = 7; };
  REQUIRE(import_state(*peer.store, in, options).has_value());
  CHECK((*peer.replica->get(test_cid(1), nullptr))->options.replication_factor_max == 7);
}

TEST_CASE("cleanup leaves nothing of the pinset") {
  ScratchDir dir;
  Peer peer(dir.path());
  for (uint64_t i = 0; i < 20; ++i) {
    REQUIRE(peer.replica->write({put_op(test_pin(i))}).has_value());
  }
  REQUIRE(cleanup_state(*peer.store).has_value());
  peer.restart();
  CHECK(peer.replica->info().pins == 0);
  CHECK(peer.replica->info().height == 0);
  CHECK(peer.replica->heads().empty());
  CHECK(test::contents(*peer.store) == test::Contents());
  CHECK(exported(*peer.store).empty());
  REQUIRE(cleanup_state(*peer.store).has_value());
}

}  // namespace
}  // namespace ica::crdt
