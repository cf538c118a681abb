#include "common/base/time.h"

#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <optional>
#include <random>

using namespace ica;

namespace {

std::string by_libc(int64_t seconds) {
  const time_t at = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&at, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts)};
}

// The zone of the process while it lives.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) {
      before_ = before;
    }
    setenv("TZ", name, 1);
    tzset();
  }
  ~Zone() {
    before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
    tzset();
  }

 private:
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("times are written as Go writes them") {
  CHECK(Time::from_unix(0).rfc3339() == "1970-01-01T00:00:00Z");
  CHECK(Time::from_unix(-1).rfc3339() == "1969-12-31T23:59:59Z");
  CHECK(Time().rfc3339() == "0001-01-01T00:00:00Z");
  CHECK(Time::from_unix(253402300799).rfc3339() == "9999-12-31T23:59:59Z");
  CHECK(Time::from_unix(1'700'000'000, 120'000'000).rfc3339() == "2023-11-14T22:13:20.12Z");
  CHECK(Time::from_unix(1'700'000'000, 1).rfc3339() == "2023-11-14T22:13:20.000000001Z");
  CHECK(Time::from_unix(1'700'000'000, 999'999'999).rfc3339() == "2023-11-14T22:13:20.999999999Z");
  CHECK(Time::parse("2023-11-14T17:13:20.5-05:30")->rfc3339() == "2023-11-14T17:13:20.5-05:30");
  CHECK(Time::parse("2023-11-14T17:13:20+14:00")->rfc3339() == "2023-11-14T17:13:20+14:00");
}

TEST_CASE("random times: the same date as libc, and read back as they were") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto seconds =
        static_cast<int64_t>(random() % 283'000'000'000) - 30'000'000'000;  // years 1019 to 9987
    const auto nanos = static_cast<int32_t>(random() % 2 == 0 ? 0 : random() % 1'000'000'000);
    const Time time = Time::from_unix(seconds, nanos);
    const std::string text = time.rfc3339();
    REQUIRE(text.substr(0, 19) == by_libc(seconds));
    const auto read = Time::parse(text);
    REQUIRE(read.has_value());
    REQUIRE(read->since(time) == Duration::zero());
  }
}

TEST_CASE("the zone's offset is that of each moment") {
  for (const char* name : {"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"}) {
    const Zone zone(name);
    CAPTURE(name);
    // The clocks of Berlin changed at these, those of Lord Howe a few days away.
    for (const int64_t change : {1'679'792'400, 1'698'541'200, 1'680'359'400, 1'696'087'800}) {
      for (int64_t seconds = change - 7200; seconds <= change + 7200; seconds += 100) {
        const time_t at = static_cast<time_t>(seconds);
        tm parts{};
        localtime_r(&at, &parts);
        REQUIRE(Time::from_unix(seconds).local().offset_minutes() == parts.tm_gmtoff / 60);
      }
    }
  }
}
