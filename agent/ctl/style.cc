#include "agent/ctl/style.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "agent/ctl/text.h"

namespace ica::ctl {

namespace {

constexpr size_t kGap = 2;
constexpr size_t kLeastColumn = 8;

Colour status_colour(std::string_view status) {
  if (status.find("ERROR") != std::string_view::npos || status == "UNEXPECTEDLY_UNPINNED") {
    return Colour::Red;
  }
  if (status == "PINNED") {
    return Colour::Green;
  }
  return status == "REMOTE" || status == "UNPINNED" ? Colour::Faint : Colour::Yellow;
}

// Cuts behind `runes` code points.
std::string_view first_runes(std::string_view text, size_t runes) {
  size_t at = 0;
  while (at < text.size() && runes > 0) {
    ++at;
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80) {
      ++at;
    }
    --runes;
  }
  return text.substr(0, at);
}

}  // namespace

std::string colour(std::string_view text, Colour which) {
  std::string_view code;
  switch (which) {
    case Colour::Red:
      code = "31";
      break;
    case Colour::Green:
      code = "32";
      break;
    case Colour::Yellow:
      code = "33";
      break;
    case Colour::Faint:
      code = "2";
      break;
    case Colour::Bold:
      code = "1";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string colour_statuses(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // "    > name : STATUS: error | time | ..."
    const size_t colon = line.starts_with("    > ") ? line.find(" : ") : std::string_view::npos;
    if (colon == std::string_view::npos) {
      out += line;
    } else {
      const size_t begin = colon + 3;
      size_t stop = begin;
      while (stop < line.size() &&
             ((line[stop] >= 'A' && line[stop] <= 'Z') || line[stop] == '_')) {
        ++stop;
      }
      const std::string_view status = line.substr(begin, stop - begin);
      out += line.substr(0, begin);
      out += colour(status, status_colour(status));
      out += line.substr(stop);
    }
    out += '\n';
  }
  return out;
}

std::string fit(std::string_view text, size_t width) {
  if (rune_count(text) <= width) {
    return std::string(text);
  }
  return width == 0 ? "" : std::string(first_runes(text, width - 1)) + "…";
}

std::string table(const std::vector<std::vector<std::string>>& rows, size_t width) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], rune_count(row[i]));
    }
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), size_t{0}) + kGap * widths.size();
  };
  while (width > 0 && !widths.empty() && total() > width + kGap) {
    auto& widest = *std::max_element(widths.begin(), widths.end());
    if (widest <= kLeastColumn) {
      break;
    }
    widest -= std::min(total() - width - kGap, widest - kLeastColumn);
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = fit(row[i], widths[i]);
      line += i + 1 < row.size() ? pad_right(cell, widths[i] + kGap) : cell;
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace ica::ctl
