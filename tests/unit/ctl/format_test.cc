#include "agent/ctl/format.h"

#include <doctest/doctest.h>

namespace ica::ctl {

TEST_CASE("pin") {
  CHECK(format_pin(
            R"({"replication_factor_min":1,"replication_factor_max":2,"name":"n","mode":"direct",
      "expire_at":"2026-11-24T15:40:59Z","metadata":{"a":"b"},"cid":"Qm","type":"meta-pin",
      "allocations":["z","a"],"max_depth":0,"timestamp":"0001-01-01T00:00:00Z"})") ==
        "Qm | n | META-PIN-DIRECT | Repl. Factor: 1--2 | Allocations: [a z] | Direct | Metadata: "
        "yes | "
        "Exp: 2026-11-24 15:40:59 | Added: unknown\n");
  CHECK(format_pin(
            R"({"replication_factor_min":-1,"replication_factor_max":-1,"cid":"Qm","type":"pin",
      "max_depth":2,"timestamp":"2026-11-22T15:40:59.25Z"})") ==
        "Qm |  | PIN | Repl. Factor: -1 | Allocations: [everywhere] | Recursive-2 | Metadata: no | "
        "Exp: ∞ | Added: 2026-11-22 15:40:59\n");
}

TEST_CASE("status sorts by peer ID and shows the name") {
  CHECK(format_global_pin_info(R"({"cid":"Qm","name":"","peer_map":{
      "12b":{"peername":"","status":"remote","timestamp":"t2","error":"","attempt_count":0,"priority_pin":false},
      "12a":{"peername":"a-peer-with-a-rather-long-name","status":"pin_error","timestamp":"t1","error":"no",
             "attempt_count":3,"priority_pin":true},
      "12c":{"peername":"c","status":"bogus","timestamp":"t3"}}})") ==
        "Qm:\n"
        "    > a-peer-with-a-rather-long-name : PIN_ERROR: no | t1 | Attempts: 3 | Priority: true\n"
        "    > 12b                  : REMOTE | t2 | Attempts: 0 | Priority: false\n"
        "    > c                    : UNDEFINED | t3 | Attempts: 0 | Priority: false\n");
}

TEST_CASE("peers") {
  CHECK(format_id(R"({"id":"12a","error":"away","addresses":null})") == "12a | ERROR: away\n");
  CHECK(format_id(R"({"id":"12a","peername":"p","cluster_peers":["12a","12b"],
      "addresses":["/b","/a"],"ipfs":{"error":"down"}})") ==
        "12a | p | Sees 1 other peers\n  > Addresses:\n    - /a\n    - /b\n  > IPFS ERROR: down\n");
  CHECK(format_id(
            R"({"id":"12a","peername":"","ipfs":{"id":"12i","addresses":["/c"],"error":""}})") ==
        "12a |  | Sees -1 other peers\n  > Addresses:\n  > IPFS: 12i\n    - /c\n");
}

TEST_CASE("metrics and alerts") {
  const Time now = Time::from_unix(100);
  CHECK(format_metrics(R"([{"name":"freespace","peer":"p","value":"x","weight":9999176155,
      "expire":105500000000},{"name":"ping","peer":"p","value":"v","weight":1,"expire":90000000000}])",
                       now) ==
        "p | freespace: 10 GB | Expires in: 5 seconds from now\n"
        "p | ping: v | Expires in: 10 seconds ago\n");
  CHECK(format_alerts(R"([{"peer":"p","name":"ping","expire":86000000000,
      "triggered_at":"1970-01-01T00:01:27.5Z"}])",
                      now) ==
        "p: ping. Expired at: 14 seconds ago. Triggered at: 12 seconds ago\n");
  CHECK(format_metric_names(R"(["b","a"])") == "b\na\n");
}

TEST_CASE("bandwidth and garbage collection") {
  CHECK(format_bandwidth(
            R"({"/b":{"total_in":4215,"total_out":9,"rate_in":227.397,"rate_out":0},"":{}})") ==
        "                         : In:     0 B. Out:     0 B. RateIn: 0.00B/s. RateOut: 0.00B/s\n"
        "                       /b: In:  4.2 kB. Out:     9 B. RateIn: 227.40B/s. RateOut: "
        "0.00B/s\n");
  CHECK(
      format_repo_gc(R"({"peer_map":{"12b":{"peername":"two","keys":[{"key":"Qm"},{"error":"bad"}]},
      "12a":{"peername":"","error":"away","keys":null}}})") ==
      "12a             | ERROR: away\n  > CIDs:\n"
      "two            \n  > CIDs:\n    - Qm\n    - ERROR: bad\n");
}

TEST_CASE("anything that is JSON is taken") {
  for (const char* odd :
       {"null", "[]", "7", "\"x\"", R"({"peer_map":[1],"addresses":{},"name":{}})"}) {
    CHECK_FALSE(format_pin(odd).empty());
    CHECK_FALSE(format_global_pin_info(odd).empty());
    CHECK_FALSE(format_id(odd).empty());
    CHECK(format_repo_gc(odd).empty());
    CHECK(peer_statuses(odd).empty());
  }
  CHECK(json_text(R"({"a":"b"})", "a") == "b");
  CHECK(json_number(R"({"a":-1})", "a") == -1);
}

TEST_CASE("pinsets: a line a peer, and what differs") {
  CHECK(format_pinsets(R"({"peer":"A","digest":"00ff","pins":3,"height":2,"pending":0,"peers":[
      {"peer":"B","digest":"00ff","pins":3,"height":2,"pending":0},
      {"peer":"C","digest":"00fe","pins":2,"height":2,"pending":7}]})") ==
        "A | 00ff | 3 pins | height 2\n"
        "B | 00ff | 3 pins | height 2\n"
        "C | 00fe | 2 pins | height 2 | 7 pending | DIFFERS\n");
}

}  // namespace ica::ctl
