#include "agent/ctl/text.h"

#include <chrono>
#include <doctest/doctest.h>

namespace ica::ctl {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("query escape as url.QueryEscape") {
  CHECK(query_escape("a b&c=d/é~-_.*") == "a+b%26c%3Dd%2F%C3%A9~-_.%2A");
  CHECK(path_escape("/ipfs/Qm/a b/ü?#%") == "/ipfs/Qm/a%20b/%C3%BC%3F%23%25");
}

TEST_CASE("padding counts code points") {
  CHECK(pad_right("né", 4) == "né  ");
  CHECK(pad_left("∞", 3) == "  ∞");
  CHECK(pad_right("longer", 3) == "longer");
}

TEST_CASE("sizes in powers of 1000") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(31415926) == "31,415,926");
  CHECK(plural(1, "peer") == "1 peer");
  CHECK(plural(1000, "change") == "1,000 changes");
  CHECK(humanize_bytes(0) == "0 B");
  CHECK(humanize_bytes(9) == "9 B");
  CHECK(humanize_bytes(968) == "968 B");
  CHECK(humanize_bytes(1000) == "1.0 kB");
  CHECK(humanize_bytes(1486) == "1.5 kB");
  CHECK(humanize_bytes(9999176155) == "10 GB");
  CHECK(humanize_bytes(26615) == "27 kB");
  CHECK(humanize_bytes(UINT64_MAX) == "18 EB");
}

TEST_CASE("relative times") {
  const Time now = Time::from_unix(1'700'000'000);
  const auto at = [&](Duration d) { return relative_time(now.plus(d), now); };
  CHECK(at(Duration{}) == "now");
  CHECK(at(std::chrono::milliseconds(999)) == "now");
  CHECK(at(seconds(1)) == "1 second from now");
  CHECK(at(-seconds(59)) == "59 seconds ago");
  CHECK(at(-seconds(60)) == "1 minute ago");
  CHECK(at(minutes(59)) == "59 minutes from now");
  CHECK(at(hours(1)) == "1 hour from now");
  CHECK(at(hours(23)) == "23 hours from now");
  CHECK(at(hours(24)) == "1 day from now");
  CHECK(at(hours(24 * 8)) == "1 week from now");
  CHECK(at(hours(24 * 20)) == "2 weeks from now");
  CHECK(at(hours(24 * 31)) == "1 month from now");
  CHECK(at(hours(24 * 100)) == "3 months from now");
  CHECK(at(hours(24 * 400)) == "1 year from now");
  CHECK(at(hours(24 * 600)) == "2 years from now");
  CHECK(at(-hours(24 * 360 * 5)) == "5 years ago");
  CHECK(relative_time(Time(), now) == "a long while ago");
}

TEST_CASE("paths as Go cleans them") {
  CHECK(clean_path("") == ".");
  CHECK(clean_path("./a//b/../c/") == "a/c");
  CHECK(clean_path("/../a") == "/a");
  CHECK(clean_path("../../a") == "../../a");
  CHECK(clean_path("/") == "/");
  CHECK(base_name("a/b/") == "b");
  CHECK(base_name("/") == "/");
  CHECK(base_name("") == ".");
}

TEST_CASE("date and time in the zone of the value") {
  CHECK(date_time(Time::parse("2026-11-22T15:40:59.5Z").value()) == "2026-11-22 15:40:59");
  CHECK(date_time(Time::parse("2026-11-22T15:40:59+02:00").value()) == "2026-11-22 15:40:59");
}

}  // namespace ica::ctl
