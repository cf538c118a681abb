#include "agent/config/environment.h"

#include <doctest/doctest.h>

#include "support.h"

using namespace ica;
using namespace ica::config;
using namespace ica::config::test;

namespace {

// The reason why `init` of the reference stops for this variable; recorded.
struct Recorded {
  const char* name;
  const char* value;
  const char* error;
};

constexpr Recorded kRecorded[] = {
    {"CLUSTER_LEAVEONSHUTDOWN", "x",
     "envconfig.Process: assigning CLUSTER_LEAVEONSHUTDOWN to LeaveOnShutdown: converting 'x' to "
     "type "
     "bool. details: strconv.ParseBool: parsing \"x\": invalid syntax"},
    {"CLUSTER_CONNECTIONMANAGER_HIGHWATER", "4x",
     "envconfig.Process: assigning CLUSTER_CONNECTIONMANAGER_HIGHWATER to HighWater: converting "
     "'4x' to "
     "type int. details: strconv.ParseInt: parsing \"4x\": invalid syntax"},
    {"CLUSTER_CONNECTIONMANAGER_HIGHWATER", "99999999999999999999",
     "envconfig.Process: assigning CLUSTER_CONNECTIONMANAGER_HIGHWATER to HighWater: converting "
     "'99999999999999999999' to type int. details: strconv.ParseInt: parsing "
     "\"99999999999999999999\": value out of range"},
    {"CLUSTER_SECRET", "abc",
     "error loading cluster secret from config: encoding/hex: odd length hex string"},
    {"CLUSTER_SECRET", "abcd",
     "error loading cluster secret from config: input secret is 2 bytes, cluster secret should be "
     "32"},
    {"CLUSTER_DIALPEERTIMEOUT", "5",
     "error parsing cluster.dial_peer_timeout: time: missing unit in duration \"5\""},
    {"CLUSTER_LISTENMULTIADDRESS", "foo",
     "error parsing listen_multiaddress: failed to parse multiaddr \"foo\": must begin with /"},
    {"CLUSTER_RESTAPI_BASICAUTHCREDENTIALS", "",
     "restapi.basic_auth_creds should be null or have at least one entry"},
    {"CLUSTER_RESTAPI_MAXHEADERBYTES", "100",
     "restapi.max_header_bytes must be not less then 4096"},
    {"CLUSTER_TRACING_SAMPLINGPROB", "q",
     "envconfig.Process: assigning CLUSTER_TRACING_SAMPLINGPROB to SamplingProb: converting 'q' to "
     "type "
     "float64. details: strconv.ParseFloat: parsing \"q\": invalid syntax"},
    {"CLUSTER_RESOURCEMANAGER_MEMORYLIMITBYTES", "-1",
     "envconfig.Process: assigning CLUSTER_RESOURCEMANAGER_MEMORYLIMITBYTES to MemoryLimitBytes: "
     "converting '-1' to type uint64. details: strconv.ParseUint: parsing \"-1\": invalid syntax"},
    {"CLUSTER_CRDT_TRUSTEDPEERS", "foo",
     "error parsing trusted peers: failed to parse peer ID: invalid cid: encoding/hex: invalid "
     "byte: "
     "U+006F 'o'"},
};

Status apply(const Environment& environment, Config& config, Strings* warnings = nullptr) {
  Strings scratch;
  TRY_VOID(apply_environment(environment, config, warnings != nullptr ? *warnings : scratch));
  return validate(config);
}

}  // namespace

TEST_CASE("environment: refusals have the reference's words") {
  for (const auto& recorded : kRecorded) {
    CAPTURE(recorded.name);
    CAPTURE(recorded.value);
    Config config = vector_config();
    const Status status = apply({{recorded.name, recorded.value}}, config);
    REQUIRE(!status);
    CHECK(status.error().message() == recorded.error);
  }
}

TEST_CASE("environment: a password is not repeated in an error") {
  Config config = vector_config();
  const Status status = apply({{"CLUSTER_RESTAPI_BASICAUTHCREDENTIALS", "user:hunter2,x"}}, config);
  REQUIRE(!status);
  CHECK(status.error().message().find("hunter2") == std::string::npos);
}

TEST_CASE("environment: every variable, as the reference's init applies it") {
  Config config;
  Strings warnings;
  REQUIRE(apply(environment_file("many.env"), config, &warnings));
  CHECK(warnings.empty());
  CHECK(to_service_json(config) == vector_file("service-many.json"));
}

TEST_CASE("environment: empty text and zero keep what the reference keeps") {
  Config config = vector_config();
  config.tracker.concurrent_pins = 4;
  REQUIRE(apply({{"CLUSTER_STATELESS_CONCURRENTPINS", "0"},
                 {"CLUSTER_PEERNAME", ""},
                 {"CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS", ""},
                 {"CLUSTER_DIALPEERTIMEOUT", ""}},
                config));
  CHECK(config.tracker.concurrent_pins == 4);
  CHECK(config.cluster.peername == "peer0");
  CHECK(config.rest_api.http_listen_multiaddress.size() == 1);
  REQUIRE(apply({{"CLUSTER_CRDT_TRUSTEDPEERS", ""}, {"CLUSTER_SECRET", ""}}, config));
  CHECK(!config.crdt.trusted_peers.all);
  CHECK(config.cluster.secret.empty());
}

TEST_CASE("environment: secrets from files") {
  const ScratchDir folder;
  const auto secret = folder.path() / "secret";
  const auto users = folder.path() / "users";
  REQUIRE(write_file(secret, std::string(64, 'a') + "\n", 0600));
  REQUIRE(write_file(users, "alice:a:b,c\r\n\nbob:builder\n", 0600));
  Config config;
  REQUIRE(apply({{"CLUSTER_SECRET_FILE", secret.string()},
                 {"CLUSTER_RESTAPI_BASICAUTHCREDENTIALS_FILE", users.string()}},
                config));
  CHECK(config.cluster.secret == Bytes(32, '\xaa'));
  REQUIRE(config.rest_api.basic_auth_credentials);
  CHECK(config.rest_api.basic_auth_credentials->at("alice") == "a:b,c");
  CHECK(config.rest_api.basic_auth_credentials->at("bob") == "builder");

  const Status both = apply(
      {{"CLUSTER_SECRET", std::string(64, 'b')}, {"CLUSTER_SECRET_FILE", secret.string()}}, config);
  REQUIRE(!both);
  CHECK(both.error().message() ==
        "CLUSTER_SECRET and CLUSTER_SECRET_FILE are both set: keep one of them");

  const auto missing = (folder.path() / "missing").string();
  const Status gone = apply({{"CLUSTER_SECRET_FILE", missing}}, config);
  REQUIRE(!gone);
  CHECK(gone.error().message() ==
        "CLUSTER_SECRET_FILE: open " + missing + ": no such file or directory");
  REQUIRE(write_file(users, "no colon\n", 0600));
  CHECK(!apply({{"CLUSTER_RESTAPI_BASICAUTHCREDENTIALS_FILE", users.string()}}, config));
}

TEST_CASE("environment: unknown names are named, with what was probably meant") {
  Config config = vector_config();
  Strings warnings;
  REQUIRE(apply({{"CLUSTER_MONITOR_PING_INTERVAL", "2s"},
                 {"CLUSTER_NONSENSE", "1"},
                 {"CLUSTER_CREDENTIALS", "u:p"},
                 {"CLUSTER_PEBBLE_FOLDER", "x"},
                 {"CLUSTER_PORT_9094_TCP_ADDR", "10.0.0.1"},
                 {"CLUSTER_SERVICE_HOST", "10.0.0.1"},
                 {"CLUSTER_IPFSHTTP_POOLSIZE", "100"},
                 {"HOME", "/"}},
                config, &warnings));
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0] ==
        "environment variable CLUSTER_MONITOR_PING_INTERVAL is not known and not used; is "
        "CLUSTER_MONITORPINGINTERVAL meant?");
  CHECK(warnings[1] == "environment variable CLUSTER_NONSENSE is not known and not used");
  CHECK(config.ipfs_http.pool_size == 100);
}
