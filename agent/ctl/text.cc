#include "agent/ctl/text.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <vector>

#include "common/codec/utf8.h"

namespace ica::ctl {
namespace {

template <typename Keep>
std::string escape(std::string_view text, Keep keep, bool plus_for_space) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == ' ' && plus_for_space) {
      out += '+';
    } else if (keep(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<uint8_t>(c));
    }
  }
  return out;
}

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::string query_escape(std::string_view text) {
  return escape(
      text,
      [](char c) {
        return is_alnum(c) || std::string_view("-_.~").find(c) != std::string_view::npos;
      },
      true);
}

std::string path_escape(std::string_view path) {
  return escape(
      path,
      [](char c) {
        return is_alnum(c) ||
               std::string_view("-_.~$&+,/:;=@!'()*").find(c) != std::string_view::npos;
      },
      false);
}

size_t rune_count(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    uint32_t rune = 0;
    text.remove_prefix(std::max<size_t>(1, utf8_next(text, rune)));
    ++count;
  }
  return count;
}

std::string pad_right(std::string_view text, size_t width) {
  const size_t n = rune_count(text);
  return std::string(text) + std::string(n < width ? width - n : 0, ' ');
}

std::string pad_left(std::string_view text, size_t width) {
  const size_t n = rune_count(text);
  return std::string(n < width ? width - n : 0, ' ') + std::string(text);
}

std::string grouped(uint64_t number) {
  std::string out = fmt::format("{}", number);
  for (size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, 1, ',');
  }
  return out;
}

std::string plural(uint64_t number, std::string_view thing) {
  return fmt::format("{} {}{}", grouped(number), thing, number == 1 ? "" : "s");
}

std::string humanize_bytes(uint64_t bytes) {
  static constexpr std::array<std::string_view, 7> kUnits = {"B",  "kB", "MB", "GB",
                                                             "TB", "PB", "EB"};
  if (bytes < 10) {
    return fmt::format("{} B", bytes);
  }
  const double size = static_cast<double>(bytes);
  // The quotient of logarithms, not a loop: 1000 must come out as the reference's rounding has it.
  const double e = std::floor(std::log(size) / std::log(1000.0));
  const double value = std::floor(size / std::pow(1000.0, e) * 10 + 0.5) / 10;
  const std::string_view unit = kUnits[static_cast<size_t>(e)];
  return value < 10 ? fmt::format("{:.1f} {}", value, unit) : fmt::format("{:.0f} {}", value, unit);
}

std::string relative_time(Time then, Time now) {
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  constexpr int64_t kWeek = 7 * kDay;
  constexpr int64_t kMonth = 30 * kDay;
  constexpr int64_t kYear = 12 * kMonth;
  struct Step {
    int64_t below;  // seconds
    std::string_view one;
    int64_t unit;  // 0: the text stands alone
  };
  static constexpr std::array<Step, 16> kSteps = {{
      {1, "now", 0},
      {2, "1 second", 0},
      {kMinute, "seconds", 1},
      {2 * kMinute, "1 minute", 0},
      {kHour, "minutes", kMinute},
      {2 * kHour, "1 hour", 0},
      {kDay, "hours", kHour},
      {2 * kDay, "1 day", 0},
      {kWeek, "days", kDay},
      {2 * kWeek, "1 week", 0},
      {kMonth, "weeks", kWeek},
      {2 * kMonth, "1 month", 0},
      {kYear, "months", kMonth},
      {18 * kMonth, "1 year", 0},
      {2 * kYear, "2 years", 0},
      {37 * kYear, "years", kYear},
  }};
  const bool future = then > now;
  const Duration diff = future ? then.since(now) : now.since(then);
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(diff).count();
  const std::string_view label = future ? "from now" : "ago";
  for (const Step& step : kSteps) {
    if (seconds >= step.below) {
      continue;
    }
    if (step.one == "now") {
      return "now";
    }
    return step.unit == 0 ? fmt::format("{} {}", step.one, label)
                          : fmt::format("{} {} {}", seconds / step.unit, step.one, label);
  }
  return fmt::format("a long while {}", label);
}

std::string date_time(Time t) {
  std::string text = t.rfc3339();  // 2026-11-22T15:40:59.123+01:00
  text.resize(std::min<size_t>(text.size(), 19));
  if (text.size() > 10) {
    text[10] = ' ';
  }
  return text;
}

std::string clean_path(std::string_view path) {
  if (path.empty()) {
    return ".";
  }
  const bool rooted = path.front() == '/';
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == "..") {
      if (!parts.empty() && parts.back() != "..") {
        parts.pop_back();
        continue;
      }
      if (rooted) {
        continue;
      }
    }
    parts.push_back(part);
  }
  std::string out = rooted ? "/" : "";
  out += fmt::format("{}", fmt::join(parts, "/"));
  return out.empty() ? "." : out;
}

std::string base_name(std::string_view path) {
  if (path.empty()) {
    return ".";
  }
  while (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
  }
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && path.size() > 1) {
    path.remove_prefix(slash + 1);
  }
  return std::string(path);
}

}  // namespace ica::ctl
