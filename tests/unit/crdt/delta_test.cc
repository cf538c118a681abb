#include "agent/crdt/delta.h"

#include <deque>

#include "agent/crdt/epoch.h"
#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

using test::unhex;

std::vector<Bytes> digests(const nlohmann::json& cids) {
  std::vector<Bytes> out;
  for (const auto& text : cids) {
    out.push_back(*digest_of(*Cid::parse(text.get<std::string>())));
  }
  return out;
}

TEST_CASE("deltas, blocks, CIDs and broadcasts are the reference's, byte for byte") {
  size_t nodes = 0;
  const auto file = test::vectors("crdt-dag.json");
  for (const auto& c : file["cases"]) {
    CAPTURE(c["name"].get<std::string>());
    if (c.contains("heads")) {
      const auto heads = digests(c["heads"]);
      CHECK(encode_broadcast(heads) == unhex(c["broadcast_hex"]));
      CHECK(decode_broadcast(unhex(c["broadcast_hex"]))->heads == heads);
      continue;
    }
    ++nodes;
    std::deque<Bytes> texts;  // what the views point to
    const auto keep = [&](Bytes text) { return BytesView(texts.emplace_back(std::move(text))); };
    const auto elements = [&](const char* list) {
      std::vector<Element> out;
      for (const auto& e : c[list].is_null() ? nlohmann::json::array() : c[list]) {
        out.push_back({keep(e["key"]), keep(e["id"]), keep(unhex(e["value_hex"]))});
      }
      return out;
    };
    Delta delta{elements("elements"), elements("tombstones"), c["priority"]};
    CHECK(encode_delta(delta) == unhex(c["delta_protobuf_hex"]));
    Node node;
    node.links =
        digests(c["links_in_order"].is_null() ? nlohmann::json::array() : c["links_in_order"]);
    node.delta = encode_delta(delta);
    const Bytes block = encode_node(node);
    CHECK(block == unhex(c["dagpb_block_hex"]));
    const Bytes digest = block_digest(block);
    CHECK(block_cid(digest).text() == c["cid"].get<std::string>());
    CHECK(block_cid(digest).bytes() == unhex(c["cid_bytes_hex"]));
    CHECK(id_text(pack_id_of_digest(digest)) == c["element_id_dskey"].get<std::string>());
    CHECK(encode_broadcast({digest}) == unhex(c["broadcast_one_head_hex"]));

    const auto read = decode_node(block);
    REQUIRE(read.has_value());
    CHECK(read->links == node.links);
    CHECK(read->delta == node.delta);
    const auto back = decode_delta(read->delta);
    REQUIRE(back.has_value());
    CHECK(encode_delta(*back) == node.delta);
    CHECK(back->priority == delta.priority);
  }
  CHECK(nodes == 4);
}

TEST_CASE("the older broadcast, a bare CID") {
  const Bytes digest = block_digest("x");
  CHECK(decode_broadcast(block_cid(digest).bytes())->heads == std::vector<Bytes>{digest});
}

TEST_CASE("broadcasts: repeated and foreign heads, damage") {
  const Bytes a = block_digest("a");
  const Bytes b = block_digest("b");
  const auto twice = decode_broadcast(encode_broadcast({a, b, a}));
  REQUIRE(twice.has_value());
  CHECK(twice->heads.size() == 2);
  CHECK(decode_broadcast("")->heads.empty());
  // A raw leaf cannot be a DAG node.
  const Cid raw = Cid::make_v1(multicodec::kRaw, Bytes("\x12\x20", 2) + a);
  Bytes message("\x0a\x26\x0a\x24", 4);
  message += raw.bytes();
  CHECK(decode_broadcast(message)->heads.empty());
  const Bytes good = encode_broadcast({a});
  for (size_t n = 1; n < good.size(); ++n) {
    CHECK_FALSE(decode_broadcast(good.substr(0, n)).has_value());
  }
}

TEST_CASE("broadcasts: the history goes with the first head, where older readers do not see it") {
  const std::vector<Bytes> heads = [] {
    std::vector<Bytes> out = {block_digest("a"), block_digest("b")};
    std::sort(out.begin(), out.end());
    return out;
  }();
  Epoch epoch{.number = 3, .base = block_digest("base"), .digest = 7, .began = 1'700'000'000};
  const auto read = decode_broadcast(encode_broadcast(heads, announced_history(epoch)));
  REQUIRE(read.has_value());
  CHECK(read->heads == heads);
  CHECK(*decode_epoch(read->history) == epoch);
  // A history that was never begun anew is announced as it always was.
  CHECK(encode_broadcast(heads, announced_history(Epoch())) == encode_broadcast(heads));
  epoch.base.pop_back();
  CHECK_FALSE(decode_epoch(encode_epoch(epoch)).has_value());
}

TEST_CASE("nodes and deltas that are damaged or too large are errors") {
  CHECK_FALSE(decode_node("hello").has_value());
  CHECK(decode_node(Bytes(kMaxBlockBytes + 1, 'x')).error().code() == Code::TooLarge);
  const std::string key(kMaxKeyBytes + 1, 'k');
  CHECK_FALSE(decode_delta(encode_delta({{{key, "", "v"}}, {}, 1})).has_value());
  const Bytes delta = encode_delta({{{"/k", "", "v"}}, {{"/k", "/id", ""}}, 300});
  for (size_t n = 1; n < delta.size(); ++n) {
    const auto cut = decode_delta(BytesView(delta).substr(0, n));
    // A cut between two fields is a shorter delta.
    CHECK((!cut.has_value() || cut->elements.size() + cut->tombstones.size() < 3));
  }
}

}  // namespace
}  // namespace ica::crdt
