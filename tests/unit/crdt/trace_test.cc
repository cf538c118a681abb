// The store of go-ds-crdt, step by step, against ours.
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::unhex;

LocalOp put(const std::string& key, const std::string& value) {
  return {pack_key(key), value};
}
LocalOp remove(const std::string& key) {
  return {pack_key(key), std::nullopt};
}

// The raw records of the reference in terms of what they mean.
test::Contents meaning(const nlohmann::json& raw, std::set<std::string>& merged,
                       std::map<std::string, uint64_t>& heads) {
  test::Contents out;
  std::set<std::pair<std::string, std::string>> tombs;
  for (const auto& [key, hex] : raw.items()) {
    const Bytes value = unhex(hex.get<std::string>());
    const auto last = key.rfind('/');
    const std::string tail = key.substr(last);
    const auto middle = [&](size_t prefix) { return key.substr(prefix, last - prefix); };
    if (key.starts_with("/c/b/")) {
      merged.insert(tail);
    } else if (key.starts_with("/c/h/")) {
      BytesView in = value;
      heads[tail] = *take_uvarint(in);
    } else if (key.starts_with("/c/s/s/")) {
      out.live.insert({middle(6), tail});
    } else if (key.starts_with("/c/s/t/")) {
      tombs.insert({middle(6), tail});
    } else if (key.starts_with("/c/s/k/") && tail == "/v") {
      out.values[middle(6)].first = value;
    } else if (key.starts_with("/c/s/k/") && tail == "/p") {
      BytesView in = value;
      out.values[middle(6)].second = *take_uvarint(in) - 1;
    }
  }
  for (const auto& tomb : tombs) {
    out.live.erase(tomb);
    if (!merged.contains(tomb.second)) {
      out.tombs.insert(tomb);
    }
  }
  return out;
}

Fetched published(const nlohmann::json& c) {
  const Bytes block = unhex(c["last_published"]["block_hex"]);
  return {block_digest(block), block};
}

void merge(test::Peer& peer, const Fetched& fetched) {
  REQUIRE(peer.replica->receive_heads({fetched.digest}).has_value());
  const auto outcome = peer.replica->merge({fetched});
  REQUIRE(outcome.has_value());
  CHECK(outcome->merged == 1);
}

TEST_CASE("our write on top of a real store's blocks makes the block that it made") {
  const std::map<std::string, std::vector<LocalOp>> steps = {
      {"new empty store", {}},
      {"put /A one", {put("/A", "one")}},
      {"put /A two (same key again: the older element stays, value and priority replaced)",
       {put("/A", "two")}},
      {"put /B bee", {put("/B", "bee")}},
      {"delete /A (one delta with two tombstones)", {remove("/A")}},
      {"batch: put /C, put /D, delete /B, commit (one block)",
       {put("/C", "c1"), put("/D", "d1"), remove("/B")}},
      {"put /A again after delete", {put("/A", "again")}}};
  const auto file = test::vectors("crdt-store-trace.json");
  std::vector<Fetched> before;
  for (const auto& c : file["cases"]) {
    const std::string step = c["step"];
    CAPTURE(step);
    REQUIRE(steps.contains(step));
    test::ScratchDir dir;
    test::Peer peer(dir.path());
    for (const auto& block : before) {
      merge(peer, block);
    }
    const auto digests = peer.replica->write(steps.at(step));
    REQUIRE(digests.has_value());
    if (c["last_published"].is_null()) {
      CHECK(digests->empty());
      continue;
    }
    REQUIRE(digests->size() == 1);
    const Fetched theirs = published(c);
    const Bytes ours = **peer.replica->block(digests->front());
    if (step.starts_with("delete /A")) {
      // The reference writes the tombstones of one key in the order of its datastore, here a hash
      // map.
      CHECK(ours.size() == theirs.block.size());
    } else {
      CHECK(ours == theirs.block);
    }
    before.push_back(theirs);
  }
  CHECK(before.size() == 6);
}

TEST_CASE("merging the blocks of a real store gives its state after each step") {
  test::ScratchDir dir;
  test::Peer peer(dir.path());
  const auto file = test::vectors("crdt-store-trace.json");
  size_t blocks = 0;
  for (const auto& c : file["cases"]) {
    CAPTURE(c["step"].get<std::string>());
    if (!c["last_published"].is_null()) {
      const Bytes message = unhex(c["last_published"]["broadcast_hex"]);
      const auto heads = decode_broadcast(message);
      REQUIRE(heads.has_value());
      const auto wanted = peer.replica->receive_heads(heads->heads);
      REQUIRE(wanted.has_value());
      CHECK(wanted->wanted == heads->heads);
      const Bytes block = unhex(c["last_published"]["block_hex"]);
      CHECK(block_digest(block) == heads->heads.front());
      REQUIRE(peer.replica->merge({{heads->heads.front(), block}}).has_value());
      ++blocks;
    }
    std::set<std::string> merged;
    std::map<std::string, uint64_t> heads;
    const auto expected = meaning(c["raw_datastore"], merged, heads);
    const auto is = test::contents(*peer.store);
    CHECK(is.values == expected.values);
    CHECK(is.live == expected.live);
    CHECK(is.tombs == expected.tombs);
    std::set<std::string> our_heads;
    for (const auto& head : peer.replica->heads()) {
      our_heads.insert(id_text(pack_id_of_digest(head)));
    }
    std::set<std::string> their_heads;
    for (const auto& [head, height] : heads) {
      their_heads.insert(head);
      CHECK(peer.replica->info().height == height);
    }
    CHECK(our_heads == their_heads);
    CHECK(peer.replica->info().blocks == merged.size());
    test::check_totals(peer);
  }
  CHECK(blocks == 6);
}

}  // namespace
}  // namespace ica::crdt
