#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ascii.h"   // iequals
#include "common/http/client.h"  // Headers, find_header

namespace ica::http {

// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

// True when one of the header's values, read as comma lists, holds `token`.
bool has_token(const Headers& headers, std::string_view name, std::string_view token);

// A character of RFC 9110's token, which names of methods and headers are made of.
bool is_token_char(char c);

// "content-type" as Go writes it: "Content-Type".
std::string canonical_header(std::string_view name);

// The reason phrase of a status as Go's http.StatusText has it; empty for an unknown one.
std::string_view status_text(int status);

// A Content-Type or Content-Disposition value: what is in front of the first semicolon in lower
// case; the parameters, names in lower case, unquoted, `name*=` of RFC 8187 decoded and in front of
// a plain `name`. Nothing when it is malformed or names a parameter twice.
struct MediaType {
  std::string type;
  std::map<std::string, std::string, std::less<>> parameters;

  // Empty when missing.
  std::string_view parameter(std::string_view name) const;
};
std::optional<MediaType> parse_media_type(std::string_view value);

}  // namespace ica::http
