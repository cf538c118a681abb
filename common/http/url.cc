#include "common/http/url.h"

#include <algorithm>

#include "common/http/client.h"  // percent_encode

namespace ica::http {

namespace {

constexpr char kHex[] = "0123456789ABCDEF";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

std::optional<std::string> unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return std::nullopt;
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += c == '+' && plus_is_space ? ' ' : c;
    }
  }
  return out;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

std::string escape(std::string_view text, std::string_view also_plain) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || also_plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> query_unescape(std::string_view text) {
  return unescape(text, true);
}
std::optional<std::string> path_unescape(std::string_view text) {
  return unescape(text, false);
}

std::string percent_encode(std::string_view text) {
  return escape(text, {});
}
std::string escape_path(std::string_view path) {
  return escape(path, "$&+,/:;=@");
}

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
