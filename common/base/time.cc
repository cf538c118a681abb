#include "common/base/time.h"

#include <ctime>
#include <limits>

namespace ica {

namespace {

// Days since 1970-01-01 of a proleptic Gregorian date, and back (after Howard Hinnant's published
// algorithms, restated on std::chrono).
int64_t days_from_civil(int year, unsigned month, unsigned day) {
  return std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) /
                               std::chrono::day(day))
      .time_since_epoch()
      .count();
}

// Writes the lowest `width` digits of `value` before `end` and says where they begin.
char* put_digits(char* end, int value, int width) {
  for (; width > 0; --width, value /= 10) {
    *--end = static_cast<char>('0' + value % 10);
  }
  return end;
}

bool read_digits(std::string_view text, size_t& at, size_t count, int& out) {
  if (text.size() < at + count) {
    return false;
  }
  out = 0;
  for (size_t i = 0; i < count; ++i) {
    const char c = text[at + i];
    if (c < '0' || c > '9') {
      return false;
    }
    out = out * 10 + (c - '0');
  }
  at += count;
  return true;
}

bool read_char(std::string_view text, size_t& at, char c) {
  if (at >= text.size() || text[at] != c) {
    return false;
  }
  ++at;
  return true;
}

// As Go's package time quotes: bytes that are not printable ASCII as \xNN.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c < ' ' || static_cast<uint8_t>(c) >= 0x80) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + '"';
}

// Go's time.Parse(time.RFC3339, text) names the piece of the layout that did not match.
tl::unexpected<Error> parse_error(std::string_view text, std::string_view rest,
                                  std::string_view element) {
  return fail(Code::InvalidArgument,
              "parsing time {} as \"2006-01-02T15:04:05Z07:00\": cannot parse {} as \"{}\"",
              quoted(text), quoted(rest), element);
}

}  // namespace

Time Time::now() {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return from_unix(ts.tv_sec, static_cast<int32_t>(ts.tv_nsec));
}

Time Time::from_unix_nanos(int64_t nanoseconds) {
  int64_t seconds = nanoseconds / 1'000'000'000;
  int64_t rest = nanoseconds % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return from_unix(seconds, static_cast<int32_t>(rest));
}

int64_t Time::unix_nanos() const {
  constexpr int64_t kLimit = std::numeric_limits<int64_t>::max() / 1'000'000'000;
  if (seconds_ >= kLimit) {
    return std::numeric_limits<int64_t>::max();
  }
  if (seconds_ <= -kLimit) {
    return std::numeric_limits<int64_t>::min();
  }
  return seconds_ * 1'000'000'000 + nanoseconds_;
}

Result<Time> Time::parse(std::string_view text) {
  size_t at = 0;
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  const auto rest = [&] { return text.substr(at); };
  if (!read_digits(text, at, 4, year)) {
    return parse_error(text, rest(), "2006");
  }
  if (!read_char(text, at, '-')) {
    return parse_error(text, rest(), "-");
  }
  if (!read_digits(text, at, 2, month)) {
    return parse_error(text, rest(), "01");
  }
  if (!read_char(text, at, '-')) {
    return parse_error(text, rest(), "-");
  }
  if (!read_digits(text, at, 2, day)) {
    return parse_error(text, rest(), "02");
  }
  if (!read_char(text, at, 'T')) {
    return parse_error(text, rest(), "T");
  }
  if (!read_digits(text, at, 2, hour)) {
    return parse_error(text, rest(), "15");
  }
  if (!read_char(text, at, ':')) {
    return parse_error(text, rest(), ":");
  }
  if (!read_digits(text, at, 2, minute)) {
    return parse_error(text, rest(), "04");
  }
  if (!read_char(text, at, ':')) {
    return parse_error(text, rest(), ":");
  }
  if (!read_digits(text, at, 2, second)) {
    return parse_error(text, rest(), "05");
  }
  int32_t nanos = 0;
  if (at + 1 < text.size() && (text[at] == '.' || text[at] == ',') && text[at + 1] >= '0' &&
      text[at + 1] <= '9') {
    ++at;
    int32_t scale = 100'000'000;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
      nanos += (text[at] - '0') * scale;
      scale /= 10;
      ++at;
    }
  }
  int offset = 0;
  if (!read_char(text, at, 'Z')) {
    const size_t zone_at = at;
    const bool plus = at < text.size() && text[at] == '+';
    const bool minus = at < text.size() && text[at] == '-';
    int zone_hour = 0;
    int zone_minute = 0;
    ++at;
    if ((!plus && !minus) || !read_digits(text, at, 2, zone_hour) || !read_char(text, at, ':') ||
        !read_digits(text, at, 2, zone_minute)) {
      return parse_error(text, text.substr(std::min(zone_at, text.size())), "Z07:00");
    }
    if (zone_hour > 24 || zone_minute > 59) {
      return fail(Code::InvalidArgument, "parsing time {}: time zone offset out of range",
                  quoted(text));
    }
    offset = (zone_hour * 60 + zone_minute) * (minus ? -1 : 1);
  }
  if (at != text.size()) {
    return fail(Code::InvalidArgument, "parsing time {}: extra text: {}", quoted(text),
                quoted(rest()));
  }
  const auto out_of_range = [&](std::string_view what) {
    return fail(Code::InvalidArgument, "parsing time {}: {} out of range", quoted(text), what);
  };
  if (month < 1 || month > 12) {
    return out_of_range("month");
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) {
    return out_of_range("day");
  }
  if (hour > 23) {
    return out_of_range("hour");
  }
  if (minute > 59) {
    return out_of_range("minute");
  }
  if (second > 59) {
    return out_of_range("second");
  }
  Time t = from_unix(
      days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400 +
          hour * 3600 + minute * 60 + second - offset * 60,
      nanos);
  t.offset_minutes_ = static_cast<int16_t>(offset);
  return t;
}

// A listing writes two times for each line, so it is put together from behind in one buffer.
void Time::append_rfc3339(std::string& out) const {
  const int64_t shown = seconds_ + offset_minutes_ * 60;
  int64_t days = shown / 86400;
  int64_t of_day = shown % 86400;
  if (of_day < 0) {
    of_day += 86400;
    --days;
  }
  char text[48];
  char* const end = text + sizeof text;
  char* at = end;
  if (offset_minutes_ == 0) {
    *--at = 'Z';
  } else {
    const int minutes = offset_minutes_ < 0 ? -offset_minutes_ : offset_minutes_;
    at = put_digits(at, minutes % 60, 2);
    *--at = ':';
    at = put_digits(at, minutes / 60, 2);
    *--at = offset_minutes_ < 0 ? '-' : '+';
  }
  if (nanoseconds_ > 0) {
    int fraction = nanoseconds_;
    int width = 9;
    for (; fraction % 10 == 0; fraction /= 10) {
      --width;
    }
    at = put_digits(at, fraction, width);
    *--at = '.';
  }
  at = put_digits(at, static_cast<int>(of_day % 60), 2);
  *--at = ':';
  at = put_digits(at, static_cast<int>(of_day / 60 % 60), 2);
  *--at = ':';
  at = put_digits(at, static_cast<int>(of_day / 3600), 2);
  *--at = 'T';
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  at = put_digits(at, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  *--at = '-';
  at = put_digits(at, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  *--at = '-';
  const int year = static_cast<int>(date.year());
  at = put_digits(at, year, year > 9999 ? 5 : 4);
  out.append(at, static_cast<size_t>(end - at));
}

std::string Time::rfc3339() const {
  std::string out;
  append_rfc3339(out);
  return out;
}

Time Time::utc() const {
  Time t = *this;
  t.offset_minutes_ = 0;
  return t;
}

Time Time::local() const {
  // Times that are shown one after the other are close to each other, and no zone has changed its
  // offset within a quarter of an hour since 1970.
  struct Known {
    int64_t quarter = -1;
    int16_t offset_minutes = 0;
  };
  thread_local Known known;
  const int64_t quarter = seconds_ / 900;
  Time t = *this;
  if (seconds_ >= 0 && quarter == known.quarter) {
    t.offset_minutes_ = known.offset_minutes;
    return t;
  }
  const time_t seconds = static_cast<time_t>(seconds_);
  tm parts{};
  if (localtime_r(&seconds, &parts) != nullptr) {
    t.offset_minutes_ = static_cast<int16_t>(parts.tm_gmtoff / 60);
    if (seconds_ >= 0) {
      known = {quarter, t.offset_minutes_};
    }
  }
  return t;
}

Time Time::truncated_to_seconds() const {
  Time t = *this;
  t.nanoseconds_ = 0;
  return t;
}

Time Time::plus(Duration d) const {
  Time t = *this;
  const int64_t nanos = static_cast<int64_t>(nanoseconds_) + d.count() % 1'000'000'000;
  t.seconds_ += d.count() / 1'000'000'000;
  if (nanos < 0) {
    t.seconds_ -= 1;
    t.nanoseconds_ = static_cast<int32_t>(nanos + 1'000'000'000);
  } else {
    t.seconds_ += nanos / 1'000'000'000;
    t.nanoseconds_ = static_cast<int32_t>(nanos % 1'000'000'000);
  }
  return t;
}

Duration Time::since(Time earlier) const {
  constexpr int64_t kLimit = std::numeric_limits<int64_t>::max() / 1'000'000'000 - 1;
  const int64_t seconds = seconds_ - earlier.seconds_;
  if (seconds > kLimit) {
    return Duration::max();
  }
  if (seconds < -kLimit) {
    return Duration::min();
  }
  return Duration(seconds * 1'000'000'000 + nanoseconds_ - earlier.nanoseconds_);
}

namespace {

struct Unit {
  std::string_view name;
  uint64_t nanoseconds;
};
constexpr Unit kUnits[] = {
    {"ns", 1},         {"us", 1'000},        {"\u00b5s", 1'000},    {"\u03bcs", 1'000},
    {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto invalid = [&] {
    return fail(Code::InvalidArgument, "time: invalid duration {}", quoted(text));
  };
  constexpr uint64_t kMax = uint64_t{1} << 63;
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") {
    return Duration(0);
  }
  if (rest.empty()) {
    return invalid();
  }
  uint64_t total = 0;
  while (!rest.empty()) {
    if (!is_digit(rest[0]) && rest[0] != '.') {
      return invalid();
    }
    uint64_t whole = 0;
    size_t digits = 0;
    while (!rest.empty() && is_digit(rest[0])) {
      if (whole > kMax / 10) {
        return invalid();
      }
      whole = whole * 10 + static_cast<uint64_t>(rest[0] - '0');
      if (whole > kMax) {
        return invalid();
      }
      rest.remove_prefix(1);
      ++digits;
    }
    double fraction = 0;
    double scale = 1;
    if (!rest.empty() && rest[0] == '.') {
      rest.remove_prefix(1);
      while (!rest.empty() && is_digit(rest[0])) {
        fraction = fraction * 10 + (rest[0] - '0');
        scale *= 10;
        rest.remove_prefix(1);
        ++digits;
      }
    }
    if (digits == 0) {
      return invalid();
    }
    size_t unit_length = 0;
    while (unit_length < rest.size() && rest[unit_length] != '.' && !is_digit(rest[unit_length])) {
      ++unit_length;
    }
    if (unit_length == 0) {
      return fail(Code::InvalidArgument, "time: missing unit in duration {}", quoted(text));
    }
    const std::string_view name = rest.substr(0, unit_length);
    rest.remove_prefix(unit_length);
    const Unit* unit = nullptr;
    for (const Unit& u : kUnits) {
      if (u.name == name) {
        unit = &u;
      }
    }
    if (unit == nullptr) {
      return fail(Code::InvalidArgument, "time: unknown unit {} in duration {}", quoted(name),
                  quoted(text));
    }
    if (whole > kMax / unit->nanoseconds) {
      return invalid();
    }
    whole *= unit->nanoseconds;
    whole += static_cast<uint64_t>(fraction * (static_cast<double>(unit->nanoseconds) / scale));
    total += whole;
    if (whole > kMax || total > kMax) {
      return invalid();
    }
  }
  if (negative) {
    return total == kMax ? Duration::min() : Duration(-static_cast<int64_t>(total));
  }
  if (total >= kMax) {
    return invalid();
  }
  return Duration(static_cast<int64_t>(total));
}

std::string format_duration(Duration d) {
  const int64_t n = d.count();
  if (n == 0) {
    return "0s";
  }
  uint64_t u = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  const auto with_fraction = [](uint64_t whole, uint64_t fraction, int width) {
    std::string out = std::to_string(whole);
    if (fraction > 0) {
      std::string digits = std::to_string(fraction);
      digits.insert(0, static_cast<size_t>(width) - digits.size(), '0');
      while (digits.back() == '0') {
        digits.pop_back();
      }
      out += "." + digits;
    }
    return out;
  };
  std::string out = n < 0 ? "-" : "";
  if (u < 1'000) {
    return out + std::to_string(u) + "ns";
  }
  if (u < 1'000'000) {
    return out + with_fraction(u / 1'000, u % 1'000, 3) + "\u00b5s";
  }
  if (u < 1'000'000'000) {
    return out + with_fraction(u / 1'000'000, u % 1'000'000, 6) + "ms";
  }
  const uint64_t seconds = u / 1'000'000'000;
  if (seconds >= 3600) {
    out += std::to_string(seconds / 3600) + "h";
  }
  if (seconds >= 60) {
    out += std::to_string(seconds / 60 % 60) + "m";
  }
  return out + with_fraction(seconds % 60, u % 1'000'000'000, 9) + "s";
}

}  // namespace ica
