#include "common/codec/dag_pb.h"

#include <doctest/doctest.h>

#include "common/codec/pbwire.h"
#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("dag-pb: the CRDT's blocks, both ways") {
  int checked = 0;
  const auto vectors = test::load_vectors("crdt-dag.json");
  for (const auto& c : vectors["cases"]) {
    if (!c.contains("dagpb_block_hex")) {
      continue;
    }
    ++checked;
    const Bytes block = test::hex_field(c, "dagpb_block_hex");
    const auto node = decode_dag_pb(block);
    REQUIRE_MESSAGE(node.has_value(), node.error().message());
    CHECK(node->has_data);
    CHECK(node->data == test::hex_field(c, "delta_protobuf_hex"));
    const auto& links = c["links_in_order"];
    REQUIRE(node->links.size() == links.size());
    for (size_t i = 0; i < node->links.size(); ++i) {
      CHECK(node->links[i].cid.text() == links[i].get<std::string>());
      CHECK(node->links[i].name.empty());
      CHECK(node->links[i].size == 0);
    }
    CHECK(encode_dag_pb(*node) == block);
  }
  CHECK(checked == 4);
}

TEST_CASE("dag-pb: names, sizes, and absent against empty data") {
  DagPbNode node;
  const auto cid =
      Cid::parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4").value();
  node.links = {{cid, "a.txt", 300}, {cid, "", 0}};
  CHECK(decode_dag_pb(encode_dag_pb(node)).value() == node);
  node.has_data = true;
  CHECK(decode_dag_pb(encode_dag_pb(node)).value() == node);
  CHECK(encode_dag_pb(DagPbNode{}).empty());
  CHECK(decode_dag_pb("").value() == DagPbNode{});
  DagPbNode empty_data;
  empty_data.has_data = true;
  CHECK(encode_dag_pb(empty_data) == Bytes("\x0a\x00", 2));
}

TEST_CASE("dag-pb: what the specification forbids") {
  const Cid cid = Cid::parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4").value();
  Bytes link;
  PbWriter(link).bytes(1, cid.bytes()).bytes(2, "n").varint(3, 1);
  const auto refused = [](const Bytes& block) { return !decode_dag_pb(block).has_value(); };
  const auto made = [](auto&& write) {
    Bytes out;
    PbWriter w(out);
    write(w);
    return out;
  };
  CHECK_FALSE(refused(made([&](PbWriter& w) { w.bytes(2, link).bytes(1, "d"); })));
  CHECK_FALSE(refused(made([&](PbWriter& w) { w.bytes(1, "d").bytes(2, link); })));
  CHECK(refused(made([&](PbWriter& w) { w.bytes(2, link).bytes(1, "d").bytes(2, link); })));
  CHECK(refused(made([&](PbWriter& w) { w.bytes(1, "d").bytes(1, "d"); })));
  CHECK(refused(made([&](PbWriter& w) { w.bytes(3, "unknown"); })));
  CHECK(refused(made([&](PbWriter& w) { w.varint(1, 5); })));
  CHECK(refused(made([&](PbWriter& w) { w.varint(2, 5); })));
  CHECK(refused(made([&](PbWriter& w) { w.bytes(2, ""); })));
  CHECK(
      refused(made([&](PbWriter& w) { w.bytes(2, made([&](PbWriter& l) { l.bytes(2, "n"); })); })));
  CHECK(refused(made([&](PbWriter& w) {
    w.bytes(2, made([&](PbWriter& l) { l.bytes(2, "n").bytes(1, cid.bytes()); }));
  })));
  CHECK(refused(made([&](PbWriter& w) {
    w.bytes(2, made([&](PbWriter& l) { l.bytes(1, cid.bytes() + "x"); }));
  })));
  CHECK(refused("\x0a"));
}
