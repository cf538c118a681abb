#include "common/api/status.h"

#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::api;

TEST_CASE("status: recorded JSON is read and written back byte for byte") {
  const auto vectors = test::load_vectors("rest-bodies.json");
  REQUIRE(vectors["cases"]["global_pin_info"].size() >= 50);
  for (const auto& text : vectors["cases"]["global_pin_info"]) {
    const auto info = global_pin_info_from_json(text.get<std::string>());
    REQUIRE_MESSAGE(info.has_value(), info.error().message());
    CHECK(to_json(*info) == text.get<std::string>());
  }
}

TEST_CASE("status: names and bits") {
  CHECK(to_string(TrackerStatus::UnexpectedlyUnpinned) == "unexpectedly_unpinned");
  CHECK(parse_tracker_status("pin_queued").value() == TrackerStatus::PinQueued);
  CHECK_FALSE(parse_tracker_status("error").has_value());
  CHECK_FALSE(parse_tracker_status("").has_value());
  CHECK(to_string(static_cast<TrackerStatus>(77777)) == "undefined");
}

TEST_CASE("status: filters") {
  CHECK(parse_status_filter("").value() == 0);
  CHECK(parse_status_filter("pinned").value() == 16);
  CHECK(parse_status_filter("error").value() == 14);
  CHECK(parse_status_filter("queued").value() == 1536);
  CHECK(parse_status_filter(" pinned , remote ").value() == 272);
  CHECK(parse_status_filter("invalidxx,pinned").value() == 16);
  CHECK(parse_status_filter("undefined").error().message() == "invalid filter value");
  CHECK(parse_status_filter("Pinned").error().message() == "invalid filter value");
  CHECK_FALSE(parse_status_filter(",").has_value());
  CHECK(matches(0, TrackerStatus::Pinned));
  CHECK(matches(14, TrackerStatus::PinError));
  CHECK_FALSE(matches(14, TrackerStatus::Pinned));
  CHECK(matches(14, TrackerStatus::Undefined));
}

TEST_CASE("status: answers of several peers become one") {
  const auto a = PeerId::parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5").value();
  const auto b = PeerId::parse("12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq").value();
  PinInfo failed;
  failed.cid = Cid::parse("QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq").value();
  failed.peer = a;
  failed.info.status = TrackerStatus::ClusterError;
  failed.info.error = "no answer";
  PinInfo good = failed;
  good.peer = b;
  good.name = "the name";
  good.info = {};
  good.info.status = TrackerStatus::Pinned;
  GlobalPinInfo global = to_global(failed);
  CHECK(global.cid == failed.cid);
  CHECK(global.name.empty());
  add_peer(global, good);
  CHECK(global.name == "the name");
  add_peer(global, failed);
  CHECK(global.name == "the name");
  REQUIRE(global.peer_map.size() == 2);
  CHECK(global.peer_map.at(a.text()).error == "no answer");
  CHECK(global.peer_map.at(b.text()).status == TrackerStatus::Pinned);
}

TEST_CASE("status: optional members and unknown statuses") {
  const std::string text =
      R"({"cid":"QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq","name":"","allocations":null,)"
      R"("origins":null,"created":"0001-01-01T00:00:00Z","metadata":{"a":"b"},"peer_map":{"x":{)"
      R"("peername":"p","ipfs_peer_id":"12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5",)"
      R"("ipfs_peer_addresses":["/ip4/8.8.8.8/tcp/4001"],"status":"pinned",)"
      R"("timestamp":"2026-11-22T15:35:53.1+02:00","error":"\u003c","attempt_count":3,)"
      R"("priority_pin":true}}})";
  CHECK(to_json(global_pin_info_from_json(text).value()) == text);
  const auto odd =
      global_pin_info_from_json(R"({"peer_map":{"x":{"status":"dancing","error":"e"}}})").value();
  CHECK(odd.peer_map.at("x").status == TrackerStatus::Undefined);
  CHECK_FALSE(global_pin_info_from_json(R"({"peer_map":{"x":5}})").has_value());
  CHECK_FALSE(global_pin_info_from_json(R"({"peer_map":[]})").has_value());
  CHECK_FALSE(global_pin_info_from_json(R"({"peer_map":{"x":{"status":5}}})").has_value());
}
