#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace ica {

using Duration = std::chrono::nanoseconds;

// A moment as Go's time.Time holds and prints it: nanoseconds, year 1 as "zero", an offset that is
// kept for printing but does not take part in comparison. Thread-safety: a value.
class Time {
 public:
  // Go's zero time, 0001-01-01T00:00:00Z.
  constexpr Time() = default;
  static Time now();
  static constexpr Time from_unix(int64_t seconds, int32_t nanoseconds = 0) {
    Time t;
    t.seconds_ = seconds;
    t.nanoseconds_ = nanoseconds;
    return t;
  }
  static Time from_unix_nanos(int64_t nanoseconds);
  // RFC 3339 with up to nine fraction digits. The error has the text of Go's time.Parse.
  static Result<Time> parse(std::string_view rfc3339);

  bool is_zero() const { return seconds_ == kZeroSeconds && nanoseconds_ == 0; }
  int64_t unix_seconds() const { return seconds_; }
  int32_t nanoseconds() const { return nanoseconds_; }
  // Saturates outside of the years 1678 to 2262.
  int64_t unix_nanos() const;
  int offset_minutes() const { return offset_minutes_; }

  // RFC 3339 as Go's MarshalJSON writes it: no trailing zeros in the fraction, Z for UTC.
  std::string rfc3339() const;
  void append_rfc3339(std::string& out) const;

  // The same moment, printed in UTC / in the zone of this machine / without its fraction.
  Time utc() const;
  Time local() const;
  Time truncated_to_seconds() const;
  Time plus(Duration d) const;
  // Saturates at about 292 years.
  Duration since(Time earlier) const;

  friend std::strong_ordering operator<=>(const Time& a, const Time& b) {
    if (auto c = a.seconds_ <=> b.seconds_; c != 0) {
      return c;
    }
    return a.nanoseconds_ <=> b.nanoseconds_;
  }
  friend bool operator==(const Time& a, const Time& b) { return (a <=> b) == 0; }

 private:
  static constexpr int64_t kZeroSeconds = -62135596800;  // year 1
  int64_t seconds_ = kZeroSeconds;
  int32_t nanoseconds_ = 0;
  int16_t offset_minutes_ = 0;
};

// Go's duration text: "1h0m0s", "15s", "1.5s", "300ms", "0s". parse_duration takes everything that
// Go's time.ParseDuration takes and fails with its words: `time: invalid duration "x"`.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);

}  // namespace ica
