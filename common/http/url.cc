#include "common/http/url.h"

#include <algorithm>

#include "common/codec/url_escape.h"

namespace ica::http {

Query::Query(std::string_view encoded) {
  while (!encoded.empty()) {
    const size_t end = std::min(encoded.find('&'), encoded.size());
    const std::string_view pair = encoded.substr(0, end);
    encoded.remove_prefix(std::min(end + 1, encoded.size()));
    if (pair.empty() || pair.find(';') != std::string_view::npos) {
      continue;
    }
    const size_t equal = std::min(pair.find('='), pair.size());
    auto key = query_unescape(pair.substr(0, equal));
    auto value = query_unescape(pair.substr(std::min(equal + 1, pair.size())));
    if (key && value) {
      pairs_.emplace_back(std::move(*key), std::move(*value));
    }
  }
}

std::string_view Query::get(std::string_view key) const {
  for (const auto& [name, value] : pairs_) {
    if (name == key) {
      return value;
    }
  }
  return {};
}

bool Query::has(std::string_view key) const {
  return std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& p) { return p.first == key; });
}

std::vector<std::string_view> Query::all(std::string_view key) const {
  std::vector<std::string_view> values;
  for (const auto& [name, value] : pairs_) {
    if (name == key) {
      values.push_back(value);
    }
  }
  return values;
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> parts;
  const bool slash_at_end = !path.empty() && path.back() == '/';
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part == "..") {
      if (!parts.empty()) {
        parts.pop_back();
      }
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    out += '/';
    out += part;
  }
  if (slash_at_end || out.empty()) {
    out += '/';
  }
  return out;
}

}  // namespace ica::http
