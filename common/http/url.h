#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ica::http {

// A query string read as Go's net/url reads it: pairs with a bad escape or a semicolon are dropped
// silently. Thread-safety: a value.
class Query {
 public:
  Query() = default;
  explicit Query(std::string_view encoded);

  // The first value of `key`; empty when missing.
  std::string_view get(std::string_view key) const;
  bool has(std::string_view key) const;
  std::vector<std::string_view> all(std::string_view key) const;
  // In the order sent, decoded.
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// The path as Go's path.Clean leaves it, with a slash in front and a slash at the end kept. A
// request whose path differs from its clean one gets a redirect in the reference.
std::string clean_path(std::string_view path);

}  // namespace ica::http
