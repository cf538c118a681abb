#include "agent/config/identity.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "support.h"

using namespace ica;
using namespace ica::config;
using namespace ica::config::test;

namespace {

constexpr const char* kId = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
constexpr const char* kKey =
    "CAESQAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";

std::string json_of(const std::string& id, const std::string& key) {
  return "{\n    \"id\": \"" + id + "\",\n    \"private_key\": \"" + key + "\"\n}";
}

}  // namespace

TEST_CASE("identity: the reference's file is read and written back unchanged") {
  const auto identity = Identity::parse(json_of(kId, kKey));
  REQUIRE(identity);
  CHECK(identity->id.text() == kId);
  CHECK(to_json(*identity) == json_of(kId, kKey));
}

TEST_CASE("identity: a new one is its own and can be read back") {
  const auto one = Identity::generate();
  const auto two = Identity::generate();
  CHECK(one.id != two.id);
  CHECK(one.id.text().starts_with("12D3KooW"));
  const auto again = Identity::parse(to_json(one));
  REQUIRE(again);
  CHECK(again->id == one.id);
}

TEST_CASE("identity: refusals have the reference's words") {
  const auto error = [](const std::string& text) {
    const auto identity = Identity::parse(text);
    return identity ? std::string() : identity.error().message();
  };
  CHECK(error(json_of("12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq", kKey)) ==
        "identity ID does not match the private_key");
  CHECK(error(json_of("foo", kKey)) ==
        "error decoding cluster ID: failed to parse peer ID: invalid cid: encoding/hex: invalid "
        "byte: U+006F 'o'");
  CHECK(error(json_of(kId, "x")).starts_with("error decoding private_key: "));
  CHECK(error("{").starts_with("not valid JSON"));
  CHECK(!error("[]").empty());
}

TEST_CASE("identity: the environment goes before the file") {
  const ScratchDir folder;
  REQUIRE(save_identity(folder.path(), Identity::generate()));
  struct stat info {};
  REQUIRE(stat((folder.path() / "identity.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  std::string notice;
  const auto file = folder.path() / "key";
  REQUIRE(write_file(file, std::string(kKey) + "\n", 0600));
  for (const Environment& environment :
       {Environment{{"CLUSTER_ID", kId}, {"CLUSTER_PRIVATEKEY", kKey}},
        Environment{{"CLUSTER_ID", kId}, {"CLUSTER_PRIVATEKEY_FILE", file.string()}}}) {
    const auto identity = load_identity(folder.path(), environment, notice);
    REQUIRE(identity);
    CHECK(identity->id.text() == kId);
  }
  const auto half = load_identity(folder.path(), {{"CLUSTER_ID", kId}}, notice);
  REQUIRE(!half);
  CHECK(half.error().message() ==
        "error applying environment variables to the identity: identity ID does not match the "
        "private_key");
  CHECK(notice.empty());
}

TEST_CASE("identity: old folders keep it in service.json; it moves to its own file") {
  const ScratchDir folder;
  REQUIRE(write_file(
      folder.path() / "service.json",
      std::string(R"({"cluster": {"id": ")") + kId + R"(", "private_key": ")" + kKey + "\"}}",
      0600));
  std::string notice;
  const auto identity = load_identity(folder.path(), {}, notice);
  REQUIRE(identity);
  CHECK(identity->id.text() == kId);
  CHECK(notice.find("identity information extracted from") != std::string::npos);
  const auto written = read_file(folder.path() / "identity.json", 1 << 16);
  REQUIRE(written);
  CHECK(*written == json_of(kId, kKey));
}

TEST_CASE("identity: a folder without one says what to do") {
  const ScratchDir folder;
  REQUIRE(write_file(folder.path() / "service.json", R"({"cluster": {}})", 0600));
  std::string notice;
  const auto identity = load_identity(folder.path(), {}, notice);
  REQUIRE(!identity);
  CHECK(identity.error().message().find("init") != std::string::npos);
}
