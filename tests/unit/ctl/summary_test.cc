#include "agent/ctl/summary.h"

#include <doctest/doctest.h>

#include "agent/ctl/style.h"
#include "agent/ctl/text.h"

namespace ica::ctl {

namespace {

const Time kNow = *Time::parse("2026-11-25T22:00:00Z");

Summary well() {
  Summary s;
  s.add_peer(R"({"id":"12D3A","peername":"pod-0","error":"","ipfs":{"id":"12D3K","error":""}})");
  s.add_peer(R"({"id":"12D3B","peername":"pod-1","error":"","ipfs":{"id":"12D3L","error":""}})");
  s.add_free_space(R"([{"name":"freespace","peer":"12D3B","weight":2500000000}])");
  s.add_alerts("[]");
  for (int i = 0; i < 7; ++i) {
    s.add_pin();
  }
  return s;
}

}  // namespace

TEST_CASE("summary: a cluster without trouble") {
  const Summary s = well();
  CHECK(s.healthy(kNow));
  CHECK(s.text(kNow, 0, false) ==
        "HEALTHY\n\n"
        "PEER   STATE  IPFS  FREE    DIGEST\n"
        "pod-0  ok     ok    -       -\n"
        "pod-1  ok     ok    2.5 GB  -\n"
        "\nPins: 7, all on their peers\n");
  CHECK(s.json(kNow).find("\"healthy\":true,\"peers\":2,\"peers_unreachable\":0,\"pins\":7") !=
        std::string::npos);
}

TEST_CASE("summary: each kind of trouble is told with the next step") {
  Summary s = well();
  s.add_peer(R"({"id":"12D3C","peername":"","error":"dial failed","ipfs":{"error":"x"}})");
  CHECK_FALSE(s.healthy(kNow));
  CHECK(s.text(kNow, 0, false).find("1 peer can't be reached") != std::string::npos);
  CHECK(s.text(kNow, 0, false).find("12D3C  unreachable  -") != std::string::npos);

  s = well();
  s.add_peer(R"({"id":"12D3C","peername":"pod-2","error":"","ipfs":{"error":"refused"}})");
  CHECK(s.text(kNow, 0, false).find("the IPFS daemon of pod-2 does not answer: refused") !=
        std::string::npos);

  s = well();
  s.add_unsettled(R"({"cid":"Qm1","name":"photo","peer_map":{
      "12D3A":{"peername":"pod-0","status":"pinned"},
      "12D3B":{"peername":"pod-1","status":"pin_error","error":"no space"},
      "12D3C":{"peername":"pod-2","status":"remote"}}})");
  CHECK_FALSE(s.healthy(kNow));
  const std::string text = s.text(kNow, 0, false);
  CHECK(text.find("Pins: 7, 1 not yet on all of their peers") != std::string::npos);
  CHECK(text.find("pin_error              1") != std::string::npos);
  CHECK(text.find("Qm1 photo at pod-1: pin_error: no space") != std::string::npos);
  CHECK(text.find("1 copy in error: see `ipfs-cluster-ctl status --filter error`") !=
        std::string::npos);
  CHECK(s.text(kNow, 0, true).find("\x1b[31mNEEDS ATTENTION") == 0);

  s = well();
  s.add_unsettled(R"({"cid":"Qm1","peer_map":{"12D3A":{"status":"pin_queued",
      "timestamp":"2026-11-25T21:59:00Z"}}})");
  CHECK(s.healthy(kNow));  // a minute in the queue is no trouble
  CHECK(s.text(kNow, 0, false).find("Oldest work: 1 minute ago") != std::string::npos);
  CHECK_FALSE(s.healthy(kNow.plus(std::chrono::hours(1))));

  s = well();
  s.add_alerts(R"([{"name":"freespace","peer":"12D3A"},{"name":"freespace","peer":"12D3A"}])");
  CHECK(s.text(kNow, 0, false).find("1 alert:") != std::string::npos);

  s = well();
  REQUIRE(s.add_pinset(R"({"peer":"12D3A","digest":"00aa","pins":9,"pending":0,"peers":[
      {"peer":"12D3B","digest":"00aa","pending":0,"age_seconds":3},
      {"peer":"12D3C","digest":"00bb","pending":5,"age_seconds":3},
      {"peer":"12D3D","digest":"00cc","pending":0,"age_seconds":300}]})"));
  CHECK(s.healthy(kNow));
  CHECK(s.text(kNow, 0, false).find("Pins: 9,") != std::string::npos);
  CHECK(s.text(kNow, 0, false).find("Pinset digests: agree") != std::string::npos);
  CHECK(s.text(kNow, 0, false).find("pod-1  ok     ok    2.5 GB  00aa") != std::string::npos);
  REQUIRE(s.add_pinset(R"({"peer":"12D3A","digest":"00aa","pins":9,"peers":[
      {"peer":"12D3B","digest":"00bb","pending":0,"age_seconds":3}]})"));
  CHECK_FALSE(s.healthy(kNow));
  CHECK_FALSE(s.add_pinset(R"({"code":404,"message":"not found"})"));
  CHECK_FALSE(s.add_pinset(""));

  CHECK_FALSE(Summary().healthy(kNow));
}

TEST_CASE("summary: what is no document changes nothing") {
  Summary s = well();
  for (const char* odd : {"", "[]", "null", "3", R"({"peer_map":[]})", R"({"peer_map":{"a":1}})"}) {
    s.add_unsettled(odd);
    s.add_alerts(odd);
    s.add_free_space(odd);
  }
  CHECK(s.text(kNow, 0, false).find("Pins: 7") != std::string::npos);
}

TEST_CASE("tables fit the width: the widest column gives way") {
  const std::vector<std::vector<std::string>> rows{{"NAME", "STATE"},
                                                   {"a-rather-long-name-of-a-peer", "ok"}};
  CHECK(table(rows, 0) ==
        "NAME                          STATE\na-rather-long-name-of-a-peer  ok\n");
  CHECK(table(rows, 20) == "NAME           STATE\na-rather-lon…  ok\n");
  CHECK(fit("äöü", 3) == "äöü");
  CHECK(fit("äöüß", 3) == "äö…");
  CHECK(fit("abc", 0).empty());
}

TEST_CASE("status words get a colour, and nothing else does") {
  CHECK(colour_statuses("Qm | n:\n    > pod-0 : PINNED | 2026 | Attempts: 0\n") ==
        "Qm | n:\n    > pod-0 : \x1b[32mPINNED\x1b[0m | 2026 | Attempts: 0\n");
  CHECK(colour_statuses("    > p : PIN_ERROR: PINNED | x\n") ==
        "    > p : \x1b[31mPIN_ERROR\x1b[0m: PINNED | x\n");
  CHECK(colour_statuses("    > p : REMOTE | x\n").find("\x1b[2m") != std::string::npos);
}

}  // namespace ica::ctl
