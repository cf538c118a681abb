#include <doctest/doctest.h>
#include <set>

#include "agent/pinsvc/pin_list.h"
#include "tests/unit/cluster/fakes.h"

namespace ica::pinsvc {
namespace {

using test::cid_number;
using test::peer_id;

ListQuery query_of(std::string_view text) {
  auto query = read_list_query(http::Query(text));
  REQUIRE_MESSAGE(query.has_value(), (query ? "" : query.error().message()));
  return std::move(*query);
}

std::string refusal(std::string_view text) {
  const auto query = read_list_query(http::Query(text));
  return query ? "" : query.error().message();
}

PinList list(test::FakePeer& peer, std::string_view query) {
  auto found = peer.await(list_pins(peer.use_cases(), query_of(query), {}));
  REQUIRE_MESSAGE(found.has_value(), (found ? "" : found.error().message()));
  return std::move(*found);
}

void put(test::FakePeer& peer, int number, std::string name, int64_t created) {
  api::Pin pin;
  pin.cid = cid_number(number);
  pin.options.name = std::move(name);
  pin.options.replication_factor_min = -1;
  pin.options.replication_factor_max = -1;
  pin.options.metadata = {{"n", std::to_string(number)}};
  pin.timestamp = Time::from_unix(created);
  peer.pinset.pins[pin.cid] = pin;
  peer.tracker.local[pin.cid].status = api::TrackerStatus::Pinned;
}

TEST_CASE("the query of a list") {
  const ListQuery plain = query_of("");
  CHECK(plain.limit == 10);
  CHECK(plain.statuses == 0);
  CHECK(plain.match == Match::Exact);
  const ListQuery full = query_of(
      "name=x&match=ipartial&status=queued,%20failed,unknown&before=2026-01-02T03:04:05.5Z&"
      "limit=5000&meta=%7B%22a%22:%22b%22%7D&cid=" +
      cid_number(1).text() + "," + cid_number(2).text());
  CHECK(full.match == Match::Ipartial);
  CHECK(full.statuses == 9);
  CHECK(full.limit == kMaxLimit);
  CHECK(full.meta.at("a") == "b");
  CHECK(full.cids.size() == 2);
  CHECK(full.before.rfc3339() == "2026-01-02T03:04:05.5Z");
}

TEST_CASE("a bad filter is refused in the reference's words") {
  CHECK(refusal("cid=bogus").starts_with("error decoding cid bogus: "));
  CHECK(refusal("status=bogus") == "error decoding 'status' query param: no valid filter");
  CHECK(refusal("limit=-1") ==
        "error parsing 'limit' query param: -1: strconv.ParseUint: parsing \"-1\": invalid syntax");
  CHECK(refusal("limit=99999999999999999999").ends_with("value out of range"));
  CHECK(
      refusal("before=yesterday").starts_with("error decoding 'before' query param: yesterday: "));
  CHECK(refusal("meta=%7B%22a%22:1%7D").starts_with("error unmarshalling 'meta' query param: "));
  CHECK(refusal("name=" + std::string(256, 'n')) ==
        "error in 'name' query param: longer than 255 chars");
}

TEST_CASE("names match in four ways") {
  const std::map<std::string, std::string> none;
  CHECK(query_of("name=Abc").wants("Abc", none));
  CHECK(!query_of("name=Abc").wants("abc", none));
  CHECK(query_of("name=Abc&match=iexact").wants("aBC", none));
  CHECK(query_of("name=%C3%89&match=iexact").wants("é", none));
  CHECK(query_of("name=b&match=partial").wants("abc", none));
  CHECK(!query_of("name=B&match=partial").wants("abc", none));
  CHECK(query_of("name=B&match=ipartial").wants("abc", none));
}

TEST_CASE("a list is newest first, and pages by time without loss or repetition") {
  test::FakePeer peer;
  // Twenty pins in the same second, as an application makes them, and older ones.
  for (int i = 0; i < 20; ++i) {
    put(peer, i, "same", 1'800'000'000);
  }
  for (int i = 20; i < 25; ++i) {
    put(peer, i, "old", 1'700'000'000 + i);
  }
  std::set<std::string> seen;
  std::string before;
  Time last = Time::from_unix(2'000'000'000);
  uint64_t left = 25;
  while (true) {
    const PinList page = list(peer, "limit=7" + before);
    CHECK(page.count == left);
    if (page.results.empty()) {
      break;
    }
    for (const auto& status : page.results) {
      CHECK(status.created <= last);
      last = status.created;
      CHECK(seen.insert(status.request_id).second);
    }
    left -= page.results.size();
    before = "&before=" + last.rfc3339();
  }
  CHECK(seen.size() == 25);
}

TEST_CASE("filters of a list") {
  test::FakePeer peer;
  for (int i = 0; i < 6; ++i) {
    put(peer, i, i % 2 == 0 ? "even" : "odd", 1'800'000'000 + i);
  }
  peer.tracker.local[cid_number(3)].status = api::TrackerStatus::PinError;
  CHECK(list(peer, "").count == 6);
  CHECK(list(peer, "name=odd").count == 3);
  CHECK(list(peer, "limit=2").count == 6);
  CHECK(list(peer, "limit=2").results.size() == 2);
  CHECK(list(peer, "limit=0").results.empty());
  CHECK(list(peer, "meta=%7B%22n%22:%224%22%7D").count == 1);
  const PinList failed = list(peer, "status=failed");
  CHECK(failed.count == 1);
  CHECK(failed.results.at(0).status == api::ServiceStatus::Failed);
  CHECK(list(peer, "status=pinned").count == 5);
  CHECK(list(peer, "status=queued,pinning,pinned,failed").count == 6);
  const std::string both = "cid=" + cid_number(3).text() + "," + cid_number(77).text();
  CHECK(list(peer, both).count == 1);  // the other one is not pinned
  CHECK(list(peer, both + "&status=pinned").count == 0);
  CHECK(list(peer, "after=" + Time::from_unix(1'800'000'004).rfc3339()).count == 2);
}

TEST_CASE("a status as JSON") {
  api::ServicePinStatus status;
  status.request_id = cid_number(1).text();
  status.status = api::ServiceStatus::Queued;
  status.created = Time::from_unix(1'800'000'000);
  status.pin.cid = cid_number(1);
  std::string text;
  JsonWriter json(text);
  write_json(json, status);
  CHECK(text ==
        "{\"requestid\":\"" + status.request_id +
            "\",\"status\":\"queued\",\"created\":\"2027-01-15T08:00:00Z\",\"pin\":{"
            "\"cid\":\"" +
            status.request_id +
            "\"},\"delegates\":[],\"info\":{\"source\":\"IPFS cluster API\",\"warning1\":"
            "\"CID used for requestID. Conflicts possible\",\"warning2\":\"experimental\"}}");
}

TEST_CASE("a pin of a request") {
  const auto pin = api::service_pin_from_json(
      R"({"cid":")" + cid_number(1).text() +
      R"(","name":"n","meta":{"a":"b"},"origins":["/ip4/192.0.2.1/tcp/4001/p2p/)" +
      peer_id(0).text() + R"("],"other":1})");
  REQUIRE(pin.has_value());
  CHECK(pin->origins.size() == 1);
  CHECK(pin->meta.at("a") == "b");
  CHECK(!api::service_pin_from_json("{}").value().cid.defined());
  CHECK(api::service_pin_from_json(R"({"name":")" + std::string(256, 'x') + R"("})")
            .error()
            .message() == "pin name is over 255 chars");
  std::string long_name;
  for (int i = 0; i < 255; ++i) {
    long_name += "é";
  }
  CHECK(api::service_pin_from_json(R"({"name":")" + long_name + R"("})").has_value());
  // As Go reads it: keys in any case, null, and whatever comes after the first value.
  CHECK(api::service_pin_from_json(R"({"Name":"n","META":{"a":null}} x)")->name == "n");
  CHECK(api::service_pin_from_json(R"({"name":"n","meta":{"a":null}}{)")->meta.at("a").empty());
  CHECK(!api::service_pin_from_json("null")->cid.defined());
  CHECK(api::string_map_from_json("null")->empty());
  CHECK(!api::string_map_from_json("{}{}").has_value());
  CHECK(!api::service_pin_from_json("[]").has_value());
  CHECK(!api::service_pin_from_json(R"({"cid":5})").has_value());
}

TEST_CASE("a status over several peers") {
  api::GlobalPinInfo info;
  info.peer_map["a"].status = api::TrackerStatus::Pinned;
  CHECK(api::service_status_of(info) == api::ServiceStatus::Pinned);
  info.peer_map["b"].status = api::TrackerStatus::Pinning;
  CHECK(api::service_status_of(info) == api::ServiceStatus::Pinning);
  info.peer_map["c"].status = api::TrackerStatus::PinQueued;
  CHECK(api::service_status_of(info) == api::ServiceStatus::Queued);
  info.peer_map["d"].status = api::TrackerStatus::ClusterError;
  CHECK(api::service_status_of(info) == api::ServiceStatus::Failed);
  info.peer_map = {{"a", {}}};
  info.peer_map["a"].status = api::TrackerStatus::Remote;
  CHECK(api::service_status_of(info) == api::ServiceStatus::Undefined);
}

}  // namespace
}  // namespace ica::pinsvc
