#include "common/api/peer.h"

#include <doctest/doctest.h>

#include "tests/unit/api/peer_readers.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::api;

namespace {

template <typename T>
std::string written(const T& value) {
  std::string out;
  JsonWriter w(out);
  write_json(w, value);
  return out;
}

PeerId peer(const nlohmann::json& text) {
  return PeerId::parse(text.get<std::string>()).value();
}

std::vector<PeerId> peers(const nlohmann::json& list) {
  std::vector<PeerId> out;
  for (const auto& item : list) {
    out.push_back(peer(item));
  }
  return out;
}

}  // namespace

TEST_CASE("peer: recorded JSON is read and written back byte for byte") {
  const auto vectors = test::load_vectors("rest-bodies.json");
  const auto& cases = vectors["cases"];
  REQUIRE(cases["id"].size() >= 10);
  for (const auto& text : cases["id"]) {
    const auto id = id_from_json(text.get<std::string>());
    REQUIRE_MESSAGE(id.has_value(), id.error().message());
    CHECK(to_json(*id) == text.get<std::string>());
  }
  REQUIRE(cases["metric"].size() >= 10);
  for (const auto& text : cases["metric"]) {
    CHECK(written(metric_from_json(text.get<std::string>()).value()) == text.get<std::string>());
  }
  REQUIRE(cases["alert"].size() >= 3);
  for (const auto& text : cases["alert"]) {
    const auto json = nlohmann::json::parse(text.get<std::string>());
    const Alert alert{metric_from_json(text.get<std::string>()).value(),
                      Time::parse(json["triggered_at"].get<std::string>()).value()};
    CHECK(written(alert) == text.get<std::string>());
  }
  REQUIRE(cases["added_output"].size() >= 10);
  for (const auto& text : cases["added_output"]) {
    CHECK(written(added_output_from_json(text.get<std::string>()).value()) ==
          text.get<std::string>());
  }
  for (const auto& text : cases["error"]) {
    const auto json = nlohmann::json::parse(text.get<std::string>());
    CHECK(error_json(json["code"], json["message"].get<std::string>()) == text.get<std::string>());
  }
}

TEST_CASE("peer: recorded graphs") {
  const auto vectors = test::load_vectors("rest-bodies.json");
  REQUIRE(vectors["cases"]["connect_graph"].size() >= 2);
  for (const auto& text : vectors["cases"]["connect_graph"]) {
    const auto json = nlohmann::json::parse(text.get<std::string>());
    ConnectGraph graph;
    graph.cluster_id = peer(json["cluster_id"]);
    json["id_to_peername"].get_to(graph.id_to_peername);
    for (const auto& [from, to] : json["ipfs_links"].items()) {
      graph.ipfs_links[from] = peers(to);
    }
    for (const auto& [from, to] : json["cluster_links"].items()) {
      graph.cluster_links[from] = peers(to);
    }
    json["cluster_trust_links"].get_to(graph.cluster_trust_links);
    for (const auto& [from, to] : json["cluster_to_ipfs"].items()) {
      graph.cluster_to_ipfs[from] = peer(to);
    }
    CHECK(written(graph) == text.get<std::string>());
  }
}

TEST_CASE("peer: recorded garbage collections") {
  const auto vectors = test::load_vectors("rest-bodies.json");
  REQUIRE(vectors["cases"]["global_repo_gc"].size() >= 2);
  for (const auto& text : vectors["cases"]["global_repo_gc"]) {
    const auto json = nlohmann::json::parse(text.get<std::string>());
    GlobalRepoGc gc;
    for (const auto& [id, one] : json["peer_map"].items()) {
      RepoGc& out = gc.peer_map[id];
      out.peer = peer(one["peer"]);
      out.peername = one["peername"];
      for (const auto& key : one["keys"]) {
        RepoGcKey k;
        if (key["key"].is_string()) {
          k.key = Cid::parse(key["key"].get<std::string>()).value();
        }
        k.error = key.value("error", "");
        out.keys.push_back(k);
      }
      out.error = one.value("error", "");
    }
    CHECK(written(gc) == text.get<std::string>());
  }
}

TEST_CASE("peer: a peer that could not be asked") {
  Id id;
  id.id = PeerId::parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5").value();
  id.error = "gone";
  const std::string text =
      R"({"id":"12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5","addresses":null,)"
      R"("cluster_peers":null,"cluster_peers_addresses":null,"version":"","commit":"",)"
      R"("rpc_protocol_version":"","error":"gone","ipfs":{"addresses":null,"error":""},)"
      R"("peername":""})";
  CHECK(to_json(id) == text);
  CHECK(to_json(id_from_json(text).value()) == text);
  CHECK_FALSE(id_from_json(R"({"id":"bogus"})").has_value());
  CHECK_FALSE(id_from_json(R"({"ipfs":{"id":"bogus"}})").has_value());
  CHECK_FALSE(id_from_json(R"({"ipfs":[]})").has_value());
}

TEST_CASE("peer: small types") {
  CHECK(written(ConnectGraph{}) ==
        R"({"cluster_id":"","id_to_peername":{},"ipfs_links":{},"cluster_links":{},)"
        R"("cluster_trust_links":{},"cluster_to_ipfs":{}})");
  CHECK(written(Bandwidth{1, 2, 0.5, 1e21}) ==
        R"({"total_in":1,"total_out":2,"rate_in":0.5,"rate_out":1e+21})");
  CHECK(written(AddedOutput{"f", {}, 5, 0, {}}) == R"({"name":"f","cid":null,"bytes":5})");
  CHECK_FALSE(added_output_from_json(R"({"bytes":-1})").has_value());
  CHECK_FALSE(metric_from_json(R"({"expire":1.5})").has_value());
  Metric metric;
  metric.expire = 100;
  CHECK_FALSE(metric.expired_at(Time::from_unix_nanos(100)));
  CHECK(metric.expired_at(Time::from_unix_nanos(101)));
}
