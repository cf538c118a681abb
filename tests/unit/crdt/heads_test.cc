// Which blocks are heads while the ancestors of an announced one are still missing.
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::Peer;
using test::put_op;
using test::ScratchDir;
using test::test_pin;

Fetched block_of(const Peer& peer, const Bytes& digest) {
  return {digest, **peer.replica->block(digest)};
}

Fetched node(std::vector<Bytes> links, uint64_t priority, const std::string& key) {
  std::sort(links.begin(), links.end());
  const Bytes block =
      encode_node({std::move(links), encode_delta({{{key, "", "v"}}, {}, priority})});
  return {block_digest(block), block};
}

TEST_CASE("an announced head is one of ours only when all of its ancestors are merged") {
  ScratchDir dir;
  Peer peer(dir.path());
  const auto root = node({}, 1, "/a");
  const auto middle = node({root.digest}, 2, "/b");
  const auto top = node({middle.digest}, 3, "/c");
  REQUIRE(peer.replica->receive_heads({top.digest}).has_value());
  REQUIRE(peer.replica->merge({top}).has_value());
  CHECK(peer.replica->heads().empty());
  CHECK(peer.replica->info().height == 3);
  CHECK(*peer.replica->work({}, 10) == std::vector<Bytes>{middle.digest});
  // A write meanwhile starts a branch that wins over what is being fetched, and names no incomplete
  // head.
  const auto own = *peer.replica->write({put_op(test_pin(1))});
  CHECK(decode_node(block_of(peer, own[0]).block)->links.empty());
  CHECK(decode_delta(decode_node(block_of(peer, own[0]).block)->delta)->priority == 4);
  peer.restart();
  CHECK(peer.replica->heads() == own);
  REQUIRE(peer.replica->merge({middle}).has_value());
  CHECK(peer.replica->heads() == own);
  peer.restart();
  REQUIRE(peer.replica->merge({root}).has_value());
  CHECK(peer.replica->info().work == 0);
  CHECK(peer.replica->heads().size() == 2);
  // The next write has both as parents.
  const auto next = *peer.replica->write({put_op(test_pin(2))});
  CHECK(peer.replica->heads() == next);
  test::check_totals(peer);
}

TEST_CASE("a head stays ours while a node above it waits for something else") {
  ScratchDir dir;
  Peer peer(dir.path());
  const auto ours = *peer.replica->write({put_op(test_pin(1))});
  const auto missing = node({}, 1, "/missing");
  const auto above = node({ours[0], missing.digest}, 2, "/above");
  REQUIRE(peer.replica->receive_heads({above.digest}).has_value());
  REQUIRE(peer.replica->merge({above}).has_value());
  CHECK(peer.replica->heads() == ours);
  peer.restart();
  CHECK(peer.replica->heads() == ours);
  REQUIRE(peer.replica->merge({missing}).has_value());
  CHECK(peer.replica->heads() == std::vector<Bytes>{above.digest});
}

TEST_CASE("walks that meet wait for each other; an unrelated one does not") {
  ScratchDir dir;
  Peer peer(dir.path());
  const auto root = node({}, 1, "/r");
  const auto shared = node({root.digest}, 2, "/s");
  const auto left = node({shared.digest}, 3, "/left");
  const auto right = node({shared.digest}, 3, "/right");
  const auto other = node({}, 1, "/other");
  REQUIRE(peer.replica->receive_heads({left.digest, right.digest, other.digest}).has_value());
  REQUIRE(peer.replica->merge({left, shared}).has_value());
  REQUIRE(peer.replica->merge({right}).has_value());
  CHECK(peer.replica->heads().empty());
  REQUIRE(peer.replica->merge({other}).has_value());
  CHECK(peer.replica->heads() == std::vector<Bytes>{other.digest});
  peer.restart();
  REQUIRE(peer.replica->merge({root}).has_value());
  CHECK(peer.replica->heads().size() == 3);
  CHECK(peer.replica->info().work == 0);
}

TEST_CASE("an announced head that turns out to be an ancestor is never a head") {
  ScratchDir dir;
  Peer peer(dir.path());
  const auto root = node({}, 1, "/r");
  const auto top = node({root.digest}, 2, "/t");
  REQUIRE(peer.replica->receive_heads({root.digest, top.digest}).has_value());
  SUBCASE("the ancestor comes first") {
    REQUIRE(peer.replica->merge({root}).has_value());
    CHECK(peer.replica->heads() == std::vector<Bytes>{root.digest});
    REQUIRE(peer.replica->merge({top}).has_value());
  }
  SUBCASE("the ancestor comes last") {
    REQUIRE(peer.replica->merge({top}).has_value());
    CHECK(peer.replica->heads().empty());
    REQUIRE(peer.replica->merge({root}).has_value());
  }
  SUBCASE("both at once") {
    REQUIRE(peer.replica->merge({top, root}).has_value());
  }
  CHECK(peer.replica->heads() == std::vector<Bytes>{top.digest});
  // Announced again: known.
  CHECK(peer.replica->receive_heads({root.digest, top.digest})->wanted.empty());
  CHECK(peer.replica->heads() == std::vector<Bytes>{top.digest});
}

TEST_CASE("a head that nobody serves can be given up, a missing ancestor cannot") {
  ScratchDir dir;
  Peer peer(dir.path());
  const Bytes bogus = block_digest("nowhere");
  const auto missing = block_digest("an ancestor");
  const auto top = node({missing}, 5, "/t");
  REQUIRE(peer.replica->receive_heads({bogus, top.digest}).has_value());
  REQUIRE(peer.replica->merge({top}).has_value());
  const auto outcome = *peer.replica->drop({bogus, missing});
  CHECK(outcome.settled == std::vector<Bytes>{bogus});
  CHECK(peer.replica->info().work == 1);
  // It may come back.
  CHECK(peer.replica->receive_heads({bogus})->wanted.size() == 1);
}

TEST_CASE("a wanted block that is not a node is left out and holds nothing up") {
  ScratchDir dir;
  Peer peer(dir.path());
  const Fetched rubbish{block_digest("rubbish"), "rubbish"};
  REQUIRE(peer.replica->receive_heads({rubbish.digest}).has_value());
  REQUIRE(peer.replica->merge({rubbish}).has_value());
  CHECK(peer.replica->info().work == 0);
  CHECK(peer.replica->heads().empty());
  const auto top = node({rubbish.digest}, 2, "/t");
  REQUIRE(peer.replica->receive_heads({top.digest}).has_value());
  REQUIRE(peer.replica->merge({top}).has_value());
  REQUIRE(peer.replica->merge({rubbish}).has_value());
  CHECK(peer.replica->info().work == 0);
  CHECK(peer.replica->heads() == std::vector<Bytes>{top.digest});
}

TEST_CASE("a change that another peer made too, on the same heads, is one node") {
  ScratchDir dir;
  Peer peer(dir.path() / "a");
  Peer other(dir.path() / "b");
  const auto theirs = *other.replica->write({put_op(test_pin(1))});
  REQUIRE(peer.replica->receive_heads(theirs)->wanted == theirs);
  const auto ours = *peer.replica->write({put_op(test_pin(1))});
  CHECK(ours == theirs);
  CHECK(peer.replica->heads() == ours);
  CHECK(peer.replica->info().work == 0);
  test::check_totals(peer);
  // Merged once: what is removed after it does not come back with it.
  REQUIRE(peer.replica->write({{pack_key(test_pin(1).cid), std::nullopt}}).has_value());
  CHECK(peer.replica->merge({block_of(other, theirs[0])})->merged == 0);
  CHECK(peer.replica->info().pins == 0);
  test::check_totals(peer);
}

TEST_CASE("many announced heads are followed up to a bound") {
  ScratchDir dir;
  Peer peer(dir.path());
  std::vector<Bytes> heads;
  for (size_t i = 0; i < 2 * Transaction::kMaxGroups; ++i) {
    heads.push_back(block_digest(std::to_string(i)));
  }
  REQUIRE(peer.replica->receive_heads(heads).has_value());
  CHECK(peer.replica->info().work == Transaction::kMaxGroups);
}

TEST_CASE("a new node has a bounded number of parents, the next ones take the rest") {
  ScratchDir dir;
  Peer peer(dir.path());
  std::vector<Fetched> nodes;
  std::vector<Bytes> digests;
  for (size_t i = 0; i < 300; ++i) {
    nodes.push_back(node({}, 1, "/" + std::to_string(i)));
    digests.push_back(nodes.back().digest);
  }
  REQUIRE(peer.replica->receive_heads(digests).has_value());
  REQUIRE(peer.replica->merge(nodes).has_value());
  CHECK(peer.replica->heads().size() == 300);
  for (uint64_t i = 0; i < 3; ++i) {
    const auto own = *peer.replica->write({put_op(test_pin(i))});
    CHECK(decode_node(block_of(peer, own[0]).block)->links.size() <= Transaction::kMaxParents);
  }
  CHECK(peer.replica->heads().size() == 1);
}

}  // namespace
}  // namespace ica::crdt
