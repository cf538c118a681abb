#include "agent/config/service_json.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "support.h"

using namespace ica;
using namespace ica::config;
using namespace ica::config::test;
using Json = nlohmann::ordered_json;

namespace {

Result<Config> parse(const std::string& text) {
  Strings warnings;
  return parse_service_json(text, warnings);
}

// The default file with one value changed, by JSON pointer.
std::string changed(const std::string& pointer, const Json& value) {
  Json json = Json::parse(vector_file("service-pebble.json"));
  json[Json::json_pointer(pointer)] = value;
  return json.dump();
}

std::string without(const std::string& parent, const std::string& key) {
  Json json = Json::parse(vector_file("service-pebble.json"));
  json[Json::json_pointer(parent)].erase(key);
  return json.dump();
}

std::string error_of(const std::string& text) {
  const auto config = parse(text);
  return config ? "" : config.error().message();
}

}  // namespace

TEST_CASE("service.json: defaults are byte for byte those of the reference's init") {
  for (const std::string name : {"pebble", "leveldb", "badger", "badger3"}) {
    CAPTURE(name);
    Config config = vector_config();
    config.datastore.name = name;
    CHECK_FALSE(config.cluster.disable_repinning);  // the one default that is ours on purpose
    config.cluster.disable_repinning = true;
    CHECK(to_service_json(config) == vector_file("service-" + name + ".json"));
  }
}

TEST_CASE("service.json: the reference's files are read and written back unchanged") {
  for (const std::string name : {"pebble", "leveldb", "badger", "badger3", "many"}) {
    CAPTURE(name);
    const std::string text = vector_file("service-" + name + ".json");
    Strings warnings;
    const auto config = parse_service_json(text, warnings);
    REQUIRE(config);
    CHECK(warnings.empty());
    CHECK(to_service_json(*config, text) == text);
  }
}

TEST_CASE("service.json: our own settings appear only when they are used") {
  Config config = vector_config();
  config.agent.memory_budget = 32 << 20;
  config.ipfs_http.pool_size = 100;
  const std::string text = to_service_json(config);
  const Json json = Json::parse(text);
  CHECK(json["agent"].dump() == R"({"memory_budget":33554432})");
  CHECK(json["ipfs_connector"]["ipfshttp"]["pool_size"] == 100);
  const auto again = parse(text);
  REQUIRE(again);
  CHECK(again->agent.memory_budget == 32 << 20);
  CHECK(again->ipfs_http.pool_size == 100);
}

TEST_CASE("service.json: unknown keys are named and kept") {
  Json json = Json::parse(vector_file("service-pebble.json"));
  json["cluster"]["colour"] = "blue";
  json["cluster"]["pubsub"]["d_low"] = 3;
  json["api"]["soap"]["on"] = true;
  json["state"] = Json::object({{"a", 1}});
  json["informer"]["numpin"]["metric_ttl"] = "10s";
  const std::string text = json.dump();
  Strings warnings;
  auto config = parse_service_json(text, warnings);
  REQUIRE(config);
  CHECK(warnings ==
        Strings{"service.json: cluster.colour is not known; it is kept and not used",
                "service.json: cluster.pubsub.d_low is not known; it is kept and not used",
                "service.json: state is not known; it is kept and not used",
                "service.json: api.soap is not known; it is kept and not used",
                "service.json: informer.numpin is not known; it is kept and not used"});
  config->cluster.peername = "other";
  const Json written = Json::parse(to_service_json(*config, text));
  CHECK(written["cluster"]["colour"] == "blue");
  CHECK(written["cluster"]["pubsub"]["d_low"] == 3);
  CHECK(written["api"]["soap"]["on"] == true);
  CHECK(written["state"]["a"] == 1);
  CHECK(written["cluster"]["peername"] == "other");
  CHECK(written["datastore"] == json["datastore"]);
}

TEST_CASE("service.json: a setting put back to its default is left out again") {
  Json json = Json::parse(vector_file("service-pebble.json"));
  json["cluster"]["follower_mode"] = true;
  const std::string text = json.dump();
  auto config = parse(text);
  REQUIRE(config);
  CHECK(config->cluster.follower_mode);
  config->cluster.follower_mode = false;
  CHECK(to_service_json(*config, text) == vector_file("service-pebble.json"));
}

TEST_CASE("service.json: missing sections switch components off") {
  Json json = Json::parse(vector_file("service-pebble.json"));
  json["api"].erase("ipfsproxy");
  json["informer"].erase("disk");
  json.erase("allocator");
  json["api"]["pinsvcapi"] = nullptr;
  const auto config = parse(json.dump());
  REQUIRE(config);
  CHECK(!config->ipfs_proxy.enabled);
  CHECK(!config->pinsvc_api.enabled);
  CHECK(config->rest_api.enabled);
  CHECK(!config->informer_disk.enabled);
  CHECK(config->informer_tags.enabled);
  CHECK(config->allocator.allocate_by == Strings{"freespace"});
  const Json written = Json::parse(to_service_json(*config, json.dump()));
  CHECK(!written["api"].contains("ipfsproxy"));
  CHECK(!written["informer"].contains("disk"));
}

TEST_CASE("service.json: missing keys mean what they mean to the reference") {
  CHECK(parse(without("/cluster", "dial_peer_timeout"))->cluster.dial_peer_timeout ==
        std::chrono::seconds(3));
  CHECK(!parse(without("/cluster", "enable_relay_hop"))->cluster.enable_relay_hop);
  CHECK(!parse(without("/cluster", "disable_repinning"))->cluster.disable_repinning);
  CHECK(parse(without("/cluster", "pubsub"))->cluster.pubsub.d_factor == 4);
  CHECK(error_of(without("/cluster/pubsub", "d_factor")) == "cluster.pubsub.d_factor is invalid");
  CHECK(error_of(without("/cluster", "listen_multiaddress")) ==
        "cluster.listen_multiaddress is empty");
  const auto trusting = parse(without("/consensus/crdt", "trusted_peers"));
  REQUIRE(trusting);
  CHECK(!trusting->crdt.trusted_peers.all);
  CHECK(parse(changed("/cluster/replication_factor_min", 0))->cluster.replication_factor_min == -1);
}

TEST_CASE("service.json: complaints") {
  CHECK(error_of(changed("/cluster/connection_manager/low_water", 500)) ==
        "cluster.connection_manager.low_water is greater than high_water");
  CHECK(error_of(changed("/cluster/replication_factor_min", 2)) ==
        "cluster.replication_factor_min is larger than max");
  CHECK(error_of(changed("/cluster/replication_factor_max", 2)) ==
        "cluster.replication_factor_min and max must be -1 when one of them is");
  CHECK(error_of(changed("/api/restapi/max_header_bytes", 4095)) ==
        "restapi.max_header_bytes must be not less then 4096");
  CHECK(error_of(changed("/api/restapi/ssl_cert_file", "cert.pem")) ==
        "restapi: missing TLS configuration");
  CHECK(error_of(
            changed("/api/restapi/id", "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")) ==
        "all ID, private_key and libp2p_listen_multiaddress should be set");
  CHECK(error_of(changed("/informer/disk/metric_type", "inodes")) == "disk.metric_type is invalid");
  CHECK(error_of(changed("/cluster/mdns_interval", "soon")) ==
        "error parsing cluster.mdns_interval: time: invalid duration \"soon\"");
  CHECK(error_of(changed("/pin_tracker/stateless/concurrent_pins", "ten")) ==
        "error parsing stateless.concurrent_pins: found string where a whole number is needed");
  CHECK(error_of(changed("/pin_tracker/stateless/concurrent_pins", 1e30)) != "");
  CHECK(error_of(changed("/pin_tracker/stateless/concurrent_pins", 5000000000)) != "");
  CHECK(error_of(changed("/cluster/leave_on_shutdown", 1)) ==
        "error parsing cluster.leave_on_shutdown: found number where bool is needed");
  CHECK(error_of(changed("/agent/memory_budget", 5)) ==
        "agent.memory_budget must be at least 8388608");
  CHECK(error_of(without("", "cluster")) ==
        "cluster section failed to validate: cluster.listen_multiaddress is undefined");
  CHECK(error_of(changed("/cluster", 7)) == "cluster in service.json is not an object");
  CHECK(error_of("[]") == "service.json is not a JSON object");
  CHECK(error_of("{").starts_with("service.json is not valid JSON: "));
  CHECK(error_of(std::string(100, '[')) == "service.json is nested too deeply");
}

TEST_CASE("service.json: what we do not offer is refused with a sentence") {
  Json raft = Json::parse(vector_file("service-pebble.json"));
  raft["consensus"] = {{"raft", Json::object()}};
  CHECK(parse(raft.dump()).error().code() == Code::Unsupported);
  CHECK(error_of(raft.dump()).find("raft") != std::string::npos);
  CHECK(error_of(R"({"source": "http://example.org/x"})").find("http://example.org/x") !=
        std::string::npos);
}

TEST_CASE("service.json: display shows every key and masks secrets") {
  Config config = vector_config();
  config.rest_api.basic_auth_credentials = StringMap{{"alice", "wonder"}};
  const std::string text = to_display_json(config);
  const Json json = Json::parse(text);
  CHECK(json["cluster"]["secret"] == "XXX_hidden_XXX");
  CHECK(json["api"]["restapi"]["basic_auth_credentials"] == "XXX_hidden_XXX");
  CHECK(json["api"]["pinsvcapi"]["basic_auth_credentials"].is_null());
  CHECK(json["cluster"]["follower_mode"] == false);
  CHECK(json["agent"]["memory_budget"] == 64 << 20);
  CHECK(text.find("wonder") == std::string::npos);
}

TEST_CASE("service.json: saved for the owner only, and loaded with the environment over it") {
  const ScratchDir temporary;
  Config config = vector_config();
  config.folder = temporary.path() / "new" / "folder";
  REQUIRE(save_config(config));
  struct stat info {};
  REQUIRE(stat((config.folder / "service.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(stat(config.folder.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  const auto loaded = load_config(config.folder, {{"CLUSTER_PEERNAME", "env"}});
  REQUIRE(loaded);
  CHECK(loaded->config.cluster.peername == "env");
  CHECK(loaded->config.folder == config.folder);
  CHECK(loaded->config.resolve("x/y") == config.folder / "x/y");
  CHECK(loaded->config.resolve("/x") == "/x");
  const auto missing = load_config(temporary.path() / "none", {});
  REQUIRE(!missing);
  CHECK(missing.error().message() == "open " + (temporary.path() / "none/service.json").string() +
                                         ": no such file or directory");
}
