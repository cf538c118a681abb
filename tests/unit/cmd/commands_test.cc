#include <doctest/doctest.h>

#include "agent/config/identity.h"
#include "agent/config/service_json.h"
#include "support.h"

using namespace ica;
using namespace ica::cmd::test;

namespace {

std::string text_of(const std::filesystem::path& path) {
  return read_file(path, 1 << 20).value_or("");
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kPeer = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";

}  // namespace

TEST_CASE("init: writes three files and says so in the reference's words") {
  const ScratchDir temporary;
  const std::string folder = (temporary.path() / "new").string();
  const auto made = run({"-c", folder, "init"});
  CHECK(made.code == 0);
  CHECK(has(made.err, "configuration written to " + folder + "/service.json.\n"));
  CHECK(has(made.err, "new identity written to " + folder + "/identity.json\n"));
  CHECK(has(made.err, "new empty peerstore written to " + folder + "/peerstore.\n"));
  CHECK(made.out.empty());
  CHECK(text_of(folder + "/peerstore").empty());

  const auto id = run({"-c", folder, "id"});
  CHECK(id.code == 0);
  CHECK(has(text_of(folder + "/identity.json"), "\"" + id.out.substr(0, id.out.size() - 1) + "\""));
  const auto check = run({"--config=" + folder, "config", "check"});
  CHECK(check.code == 0);
  CHECK(check.out == "the configuration in " + folder + " is good\n");
}

TEST_CASE("init: does not overwrite without a yes, and keeps the identity with it") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  REQUIRE(run({"-c", folder, "init"}).code == 0);
  const std::string service = text_of(folder + "/service.json");
  const std::string identity = text_of(folder + "/identity.json");
  const auto refused = run({"-c", folder, "init"});
  CHECK(refused.code == 0);  // as the reference
  CHECK(refused.out == "The configuration file will be overwritten. Continue? [y/n]: ");
  CHECK(text_of(folder + "/service.json") == service);
  CHECK(run({"-c", folder, "init"}, "n\n").code == 0);
  CHECK(text_of(folder + "/service.json") == service);
  CHECK(run({"-c", folder, "init"}, "y\n").code == 0);
  const std::string second = text_of(folder + "/service.json");
  CHECK(second != service);  // another secret
  CHECK(run({"-c", folder, "init", "--force"}).code == 0);
  CHECK(text_of(folder + "/service.json") != second);
  CHECK(text_of(folder + "/identity.json") == identity);
}

TEST_CASE("init: peers, random ports, own secret") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  const std::string one = std::string("/ip4/1.2.3.4/tcp/9096/p2p/") + kPeer;
  const std::string two = std::string("/dns4/b.example/tcp/9096/p2p/") + kPeer;
  const auto made = run({"-c", folder, "init", "--randomports", "-s", "--peers", one + ", " + two},
                        std::string(64, 'f') + "\n");
  CHECK(made.code == 0);
  CHECK(has(made.err, "peerstore written to " + folder + "/peerstore with 2 entries.\n"));
  CHECK(text_of(folder + "/peerstore") == one + "\n" + two + "\n");
  const auto loaded = config::load_config(folder, {});
  REQUIRE(loaded);
  CHECK(loaded->config.cluster.secret == Bytes(32, '\xff'));
  CHECK(!loaded->config.crdt.trusted_peers.all);
  REQUIRE(loaded->config.crdt.trusted_peers.peers.size() == 1);
  CHECK(loaded->config.crdt.trusted_peers.peers[0].text() == kPeer);
  CHECK(loaded->config.rest_api.http_listen_multiaddress[0].text() != "/ip4/127.0.0.1/tcp/9094");
  CHECK(loaded->config.cluster.listen_multiaddress.size() == 2);
}

TEST_CASE("init: refusals") {
  const ScratchDir temporary;
  const std::string folder = (temporary.path() / "x").string();
  const auto refusal = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"-c", folder, "init"});
    const auto outcome = run(args);
    CHECK(outcome.code == 1);
    return outcome.err;
  };
  CHECK(refusal({"--consensus", "foo"}) ==
        "error choosing consensus: flag value must be set to 'raft' or 'crdt'\n");
  CHECK(has(refusal({"--consensus=raft"}), "raft is not offered"));
  CHECK(has(refusal({"--datastore", "foo"}), "error choosing datastore: "));
  CHECK(has(refusal({"http://example.org/x"}), "http://example.org/x"));
  CHECK(has(refusal({"--peers", "foo"}),
            "error parsing peer multiaddress: foo: failed to parse multiaddr \"foo\": must begin "
            "with /\n"));
  CHECK(!std::filesystem::exists(folder));
}

TEST_CASE("init: an invalid variable stops it in the reference's words") {
  const ScratchDir temporary;
  const std::string folder = (temporary.path() / "x").string();
  setenv("CLUSTER_LEAVEONSHUTDOWN", "x", 1);
  const auto outcome = run({"-c", folder, "init"});
  unsetenv("CLUSTER_LEAVEONSHUTDOWN");
  CHECK(outcome.code == 1);
  CHECK(outcome.err ==
        "error applying environment variables to configuration: envconfig.Process: assigning "
        "CLUSTER_LEAVEONSHUTDOWN to LeaveOnShutdown: converting 'x' to type bool. details: "
        "strconv.ParseBool: parsing \"x\": invalid syntax\n");
}

TEST_CASE("config show: the file, or what is in force; never a secret") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  REQUIRE(run({"-c", folder, "init"}).code == 0);
  setenv("CLUSTER_PEERNAME", "from-the-environment", 1);
  const auto file = run({"-c", folder, "config", "show"});
  const auto effective = run({"-c", folder, "config", "show", "--effective"});
  unsetenv("CLUSTER_PEERNAME");
  CHECK(file.code == 0);
  CHECK(!has(file.out, "from-the-environment"));
  CHECK(has(effective.out, "\"peername\": \"from-the-environment\""));
  CHECK(has(effective.out, "\"secret\": \"XXX_hidden_XXX\""));
}

TEST_CASE("config check: says what is wrong") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  auto outcome = run({"-c", folder, "config", "check"});
  CHECK(outcome.code == 1);
  CHECK(outcome.err == "error loading configurations: open " + folder +
                           "/service.json: no such file or directory\n");
  REQUIRE(run({"-c", folder, "init"}).code == 0);
  auto loaded = config::load_config(folder, {});
  REQUIRE(loaded);
  loaded->config.rest_api.ssl_cert_file = "cert.pem";
  loaded->config.rest_api.ssl_key_file = "key.pem";
  REQUIRE(config::save_config(loaded->config));
  outcome = run({"-c", folder, "config", "check"});
  CHECK(outcome.code == 1);
  CHECK(has(outcome.err, "error loading TLS certificate/key: open " + folder + "/cert.pem"));
}

TEST_CASE("program: help, versions and wrong lines") {
  CHECK(run({"version"}).out == "1.1.6\n");
  CHECK(run({"--version"}).out == "ipfs-cluster-agent version 1.1.6\n");
  const auto nothing = run({});
  CHECK(nothing.code == 1);
  CHECK(has(nothing.out, "COMMANDS:\n   init"));
  CHECK(run({"nonsense"}).code == 1);
  const auto wrong = run({"init", "--nonsense"});
  CHECK(wrong.code == 2);
  CHECK(has(wrong.out, "Incorrect Usage: flag provided but not defined: -nonsense"));
  const auto help = run({"init", "--help"});
  CHECK(help.code == 0);
  CHECK(has(help.out, "--randomports"));
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"config"}, {"config", "--help"}, {"help", "config"}}) {
    const auto group = run(line);
    CHECK(group.code == 0);
    CHECK(has(group.out, "   show "));
  }
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"config", "nonsense"}, {"help", "nonsense"}}) {
    const auto unknown = run(line);
    CHECK(unknown.code == 3);
    CHECK(unknown.err == "No help topic for 'nonsense'\n");
  }
  CHECK(run({"-l", "loud", "version"}).code == 1);
}

TEST_CASE("state export: of a peer that has never run, and of one of the other program") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  const auto nowhere = run({"-c", folder, "state", "export"});
  CHECK(nowhere.code == 1);
  CHECK(nowhere.err == "error loading configurations: open " + folder +
                           "/service.json: no such file or directory\n");
  REQUIRE(run({"-c", folder, "init"}).code == 0);
  const auto fresh = run({"-c", folder, "state", "export"});
  CHECK(fresh.code == 0);
  CHECK(fresh.out.empty());
  std::filesystem::create_directory(folder + "/badger");
  const auto foreign = run({"-c", folder, "state", "export"});
  CHECK(foreign.code == 1);
  CHECK(has(foreign.err, "A state that ipfs-cluster-service made is exported with that program"));
}

TEST_CASE("health: nobody there is no") {
  const ScratchDir temporary;
  const std::string folder = temporary.path().string();
  setenv("CLUSTER_METRICS_PROMETHEUSENDPOINT", "/ip4/127.0.0.1/tcp/1", 1);
  REQUIRE(run({"-c", folder, "init"}).code == 0);
  const auto outcome = run({"-c", folder, "health", "--timeout", "1s"});
  unsetenv("CLUSTER_METRICS_PROMETHEUSENDPOINT");
  CHECK(outcome.code == 1);
  CHECK(has(outcome.err, "alive: no answer from /ip4/127.0.0.1/tcp/1"));
}

TEST_CASE("identity derive: the same seed, salt and ordinal give the same identity") {
  const ScratchDir temporary;
  const std::string seed = (temporary.path() / "seed").string();
  REQUIRE(write_file(seed, std::string(64, 'a') + "\n", 0600));
  const auto three =
      run({"identity", "derive", "--seed-file", seed, "--salt", "ns/peers", "--count", "3"});
  CHECK(three.code == 0);
  // Computed with Python's hmac and OpenSSL.
  CHECK(three.out ==
        "12D3KooWQfqoQenAeyGN7NzRZMJdLhRtmRMCB2N4qAieKQfuz5FG\n"
        "12D3KooWGriHbjKH5M89KuBtfpBqwvEjqPh8VE1YNH7jE33iAmgc\n"
        "12D3KooWNyAcPNEZdCRX2rPHgZb437nXG2oNsjSY8Lf4g5Ftd3FR\n");
  const auto second = run({"identity", "derive", "--seed-file", seed, "--salt", "ns/peers",
                           "--ordinal", "1", "--json"});
  CHECK(second.code == 0);
  const auto parsed = config::Identity::parse(second.out);
  REQUIRE(parsed.has_value());
  CHECK(has(three.out, parsed->id.text() + "\n"));
  const auto other = run({"identity", "derive", "--seed-file", seed, "--salt", "other"});
  CHECK(other.code == 0);
  CHECK(!has(three.out, other.out));
}

TEST_CASE("identity derive: wrong use") {
  const ScratchDir temporary;
  const std::string seed = (temporary.path() / "seed").string();
  CHECK(run({"identity", "derive"}).code == 2);
  CHECK(run({"identity", "derive", "--seed-file", seed}).code == 1);
  REQUIRE(write_file(seed, "short", 0600));
  const auto refused = run({"identity", "derive", "--seed-file", seed});
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "it has 5 characters, but needs 32"));
  CHECK(run({"identity", "derive", "--seed-file", seed, "--ordinal", "-1"}).code == 2);
  CHECK(run({"identity", "derive", "--seed-file", seed, "--count", "2", "--json"}).code == 2);
}
