#include "agent/ctl/compact_text.h"

#include <doctest/doctest.h>

namespace ica::ctl {
namespace {

constexpr std::string_view kPlan = R"({"possible":true,"epoch":1,"pins":12345,"changes":31415,
  "changes_after":2,"disk_bytes":45000000,"members":[
  {"peer":"12a","peername":"one","problem":"","pins":12345,"changes":31415,"digest":"00000000000000ab"},
  {"peer":"12b","peername":"","problem":"","pins":12345,"changes":31000,"digest":"00000000000000ab"}],
  "without":["12z"]})";

constexpr std::string_view kImpossible =
    R"({"possible":false,"pins":3,"changes":9,"changes_after":1,
  "disk_bytes":968,"members":[
  {"peer":"12a","peername":"one","problem":"","pins":3,"changes":9,"digest":"00000000000000ab"},
  {"peer":"12b","peername":"two","problem":"is not connected","pins":0,"changes":0,"digest":"0000000000000000"},
  {"peer":"12c","peername":"","problem":"has another pinset","pins":4,"changes":1000,"digest":"00000000000000ac"}],
  "without":[]})";

}  // namespace

TEST_CASE("compact: a plan that is possible") {
  CHECK(format_compact_plan(kPlan, 0) ==
        "Pins: 12,345\n"
        "Changes in the history: 31,415, afterwards about 2\n"
        "Database: 45 MB on disk\n"
        "\n"
        "PEER  PINS    CHANGES  DIGEST            CAN TAKE PART\n"
        "one   12,345  31,415   00000000000000ab  yes\n"
        "12b   12,345  31,000   00000000000000ab  yes\n"
        "\n"
        "Left out: 12z\n"
        "All of these peers take part.\n");
  CHECK(compact_problems(kPlan).empty());
}

TEST_CASE("compact: a plan with problems") {
  CHECK(format_compact_plan(kImpossible, 0) ==
        "Pins: 3\n"
        "Changes in the history: 9, afterwards about 1\n"
        "Database: 968 B on disk\n"
        "\n"
        "PEER  PINS  CHANGES  DIGEST            CAN TAKE PART\n"
        "one   3     9        00000000000000ab  yes\n"
        "two   -     -        -                 no: is not connected\n"
        "12c   4     1,000    00000000000000ac  no: has another pinset\n"
        "\n"
        "Not possible: 2 of 3 peers cannot take part.\n");
  CHECK(compact_problems(kImpossible) == "two (12b): is not connected; 12c: has another pinset");
  // On a narrow terminal the table is cut, the problems are told in full beside it.
  CHECK(format_compact_plan(kImpossible, 50).find("…") != std::string::npos);
}

TEST_CASE("compact: what was done") {
  CHECK(format_compacted(
            R"({"changes_before":31415,"changes_after":2,"members":3,"paused":"1.234s"})") ==
        "2 changes instead of 31,415 on 3 peers; changes waited for 1.2 s\n");
  CHECK(format_compacted(R"({"changes_before":7,"changes_after":1,"members":1,"paused":"90ms"})") ==
        "1 change instead of 7 on 1 peer; changes waited for 0.1 s\n");
  CHECK(format_compacted("[]") == "0 changes instead of 0 on 0 peers; changes waited for 0.0 s\n");
}

TEST_CASE("compact: how far it is") {
  CHECK(
      format_compact_status(R"({"running":false,"led":false,"epoch":0})") ==
      "Compaction: not running, epoch 0 of the history\nThis peer has led none since its start.\n");
  CHECK(format_compact_status(R"({"running":true,"led":true,"step":"writing","epoch":2})") ==
        "Compaction: running, epoch 2 of the history\nNow: writing\n");
  CHECK(
      format_compact_status(R"({"running":false,"led":true,"epoch":3,"ended":"2027-01-15T08:00:00Z",
      "error":"","changes_before":7,"changes_after":1,"members":1,"paused":"1s"})") ==
      "Compaction: not running, epoch 3 of the history\n"
      "The last one, 2027-01-15T08:00:00Z: 1 change instead of 7 on 1 peer; changes waited for 1.0 "
      "s\n");
  CHECK(
      format_compact_status(R"({"running":false,"led":true,"epoch":2,"ended":"2027-01-15T08:00:00Z",
      "error":"two went away"})") ==
      "Compaction: not running, epoch 2 of the history\n"
      "The last one, 2027-01-15T08:00:00Z: two went away\n");
}

}  // namespace ica::ctl
