#include "agent/ipfs/kubo_json.h"

#include <doctest/doctest.h>

using namespace ica;
using namespace ica::ipfs;

namespace {
const std::string kCid = "QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr";
}

TEST_CASE("lines are cut wherever the pieces end") {
  const std::string text = "one\n\n two\r\nthree";
  for (size_t size = 1; size <= text.size(); ++size) {
    LineSplitter splitter(16);
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size(); at += size) {
      REQUIRE(splitter.feed(std::string_view(text).substr(at, size)).has_value());
      while (auto line = splitter.next()) {
        lines.push_back(*line);
      }
    }
    CHECK(lines == std::vector<std::string>{"one", " two\r"});
    CHECK(splitter.rest() == "three");
    CHECK(splitter.rest().empty());
  }
}

TEST_CASE("a line without end is refused before it is held") {
  LineSplitter splitter(1000);
  Status status;
  size_t fed = 0;
  while (status && fed < 1'000'000) {
    status = splitter.feed(std::string(100, 'x'));
    fed += 100;
  }
  CHECK_FALSE(status.has_value());
  CHECK(status.error().code() == Code::TooLarge);
  CHECK(fed <= 1100);
  LineSplitter other(10);
  CHECK_FALSE(other.feed("much too long for this\n").has_value());
}

TEST_CASE("pin listings, new and old") {
  const auto pin = parse_listed_pin(R"({"Cid":")" + kCid + R"(","Type":"recursive","Name":""})");
  REQUIRE(pin.has_value());
  CHECK(pin->cid.text() == kCid);
  CHECK(pin->kind == PinKind::Recursive);
  CHECK(parse_listed_pin(R"({"Keys":{")" + kCid + R"(":{"Type":"direct"}}})")->kind ==
        PinKind::Direct);
  CHECK(parse_listed_pin(R"({"Cid":")" + kCid + R"(","Type":"indirect through Qm"})")->kind ==
        PinKind::Indirect);
  for (const char* bad : {"", "{", "[]", "null", "7", R"({"Cid":"x","Type":"recursive"})",
                          R"({"Cid":7,"Type":"direct"})", R"({"Type":"direct"})", R"({"Keys":{}})",
                          R"({"Keys":{"a":1}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_listed_pin(bad).has_value());
  }
  const auto error = parse_listed_pin(R"({"Message":"boom","Code":0,"Type":"error"})");
  CHECK(error.error().message() == "boom");
}

TEST_CASE("pin progress with and without bytes") {
  CHECK(parse_pin_add(R"({"Progress":12})")->progress.nodes == 12);
  const auto both = parse_pin_add(R"({"Progress":12,"Bytes":4096})");
  CHECK(both->progress.bytes == 4096);
  CHECK_FALSE(both->pinned);
  CHECK(parse_pin_add(R"({"Pins":[")" + kCid + R"("]})")->pinned);
  CHECK_FALSE(parse_pin_add(R"({"Pins":null,"Progress":1})")->pinned);
  CHECK(parse_pin_add(R"({"Progress":-5})")->progress.nodes == 0);
  CHECK_FALSE(parse_pin_add(R"({"Progress":1)").has_value());
}

TEST_CASE("identity keeps the readable addresses") {
  const auto id = parse_id(
      R"({"ID":"12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC","Addresses":["/ip4/1.2.3.4/tcp/4001","nonsense",7]})");
  REQUIRE(id.has_value());
  CHECK(id->addresses.present);
  CHECK(id->addresses.items.size() == 1);
  CHECK_FALSE(parse_id(R"({"ID":"x"})").has_value());
  CHECK_FALSE(parse_id("{}").has_value());
  CHECK(
      parse_id(R"({"ID":"12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC","Addresses":null})")
          ->addresses.items.empty());
}

TEST_CASE("space is read as unsigned 64 bits") {
  const auto stat =
      parse_repo_stat(R"({"RepoSize":18446744073709551615,"StorageMax":10000000000})");
  CHECK(stat->repo_size == UINT64_MAX);
  CHECK(stat->storage_max == 10'000'000'000);
}

TEST_CASE("configuration values by dots or slashes") {
  const char* config = R"({"Datastore":{"StorageMax":"10GB","GC":true},"A":[1]})";
  CHECK(*find_config_key(config, "Datastore.StorageMax") == "\"10GB\"");
  CHECK(*find_config_key(config, "Datastore/GC") == "true");
  CHECK(*find_config_key(config, "A") == "[1]");
  CHECK(find_config_key(config, "Datastore/None").error().code() == Code::NotFound);
  CHECK(find_config_key(config, "A/b").error().code() == Code::NotFound);
}

TEST_CASE("resolved paths end at the block that holds the node") {
  CHECK(parse_resolve(R"({"Path":"/ipfs/)" + kCid + R"("})")->text() == kCid);
  CHECK(parse_resolve(R"({"Path":"/ipld/)" + kCid + R"(/a/b"})")->text() == kCid);
  CHECK_FALSE(parse_resolve(R"({"Path":"/ipns/example.org"})").has_value());
  CHECK_FALSE(parse_resolve(R"({"Path":7})").has_value());
}

TEST_CASE("collected keys and errors") {
  CHECK(parse_repo_gc(R"({"Key":{"/":")" + kCid + R"("}})")->key.text() == kCid);
  CHECK(parse_repo_gc(R"({"Error":"no luck"})")->error == "no luck");
  CHECK_FALSE(parse_repo_gc(R"({"Key":null})").has_value());
}

TEST_CASE("why a pin failed") {
  CHECK(Connector::reason_of(Error(Code::Timeout, "context canceled")) == Reason::NoProviders);
  CHECK(Connector::reason_of(Error(Code::Timeout, "context canceled"), {3, 0}) == Reason::Stalled);
  CHECK(Connector::reason_of(Error(Code::Unavailable, "x")) == Reason::KuboDown);
  CHECK(Connector::reason_of(Error(Code::Cancelled, "x")) == Reason::Cancelled);
  CHECK(Connector::reason_of(Error(Code::Internal, "write: no space left on device")) ==
        Reason::DiskFull);
  CHECK(Connector::reason_of(Error(Code::Internal, "boom")) == Reason::KuboError);
  CHECK(to_string(Reason::NoProviders) == "NO_PROVIDERS");
}
