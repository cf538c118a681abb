#include "common/http/headers.h"

#include <algorithm>
#include <array>

#include "common/codec/url_escape.h"

namespace ica::http {

namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<uint8_t>(c)] = true;
  }
  return table;
}
constexpr auto kTokenChars = make_token_table();

// Takes a token off the front of `text`.
std::string_view take_token(std::string_view& text) {
  size_t n = 0;
  while (n < text.size() && is_token_char(text[n])) {
    ++n;
  }
  const std::string_view token = text.substr(0, n);
  text.remove_prefix(n);
  return token;
}

// Takes a quoted string with its quotes off the front of `text`.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    // A backslash escapes only what is no token character: browsers send Windows paths as they
    // are. Matches Go's mime.consumeValue.
    if (c == '\\' && i + 1 < text.size() && !is_token_char(text[i + 1])) {
      value += text[++i];
    } else if (c == '\r' || c == '\n') {
      return std::nullopt;
    } else {
      value += c;
    }
  }
  return std::nullopt;
}

void skip_space(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_token_char(char c) {
  return kTokenChars[static_cast<uint8_t>(c)];
}

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (iequals(key, name)) {
      return value;
    }
  }
  return {};
}

bool has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (!iequals(key, name)) {
      continue;
    }
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (iequals(trim(rest.substr(0, comma)), token)) {
        return true;
      }
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::string canonical_header(std::string_view name) {
  std::string out(name);
  bool start = true;
  for (char& c : out) {
    c = start ? ascii_upper(c) : ascii_lower(c);
    start = c == '-';
  }
  return out;
}

std::string_view MediaType::parameter(std::string_view name) const {
  const auto it = parameters.find(name);
  return it == parameters.end() ? std::string_view() : std::string_view(it->second);
}

namespace {

// `; name=value`, taken off the front of `text`. False when it is malformed; an empty name at the
// end, and after a semicolon that ends the text, which is forgiven.
bool take_parameter(std::string_view& text, std::string& name, std::string& value) {
  skip_space(text);
  if (text.empty()) {
    return true;
  }
  if (text.front() != ';') {
    return false;
  }
  text.remove_prefix(1);
  skip_space(text);
  if (text.empty()) {
    return true;
  }
  for (const char c : take_token(text)) {
    name += ascii_lower(c);
  }
  skip_space(text);
  if (name.empty() || text.empty() || text.front() != '=') {
    return false;
  }
  text.remove_prefix(1);
  skip_space(text);
  if (!text.empty() && text.front() == '"') {
    auto quoted = take_quoted(text);
    value = quoted ? std::move(*quoted) : std::string();
    return quoted.has_value();
  }
  value = take_token(text);
  return !value.empty();
}

// RFC 8187: charset'language'percent-encoded. Nothing for what is none, which Go leaves out as
// well.
std::optional<std::string> extended_value(std::string_view value) {
  const size_t first = value.find('\'');
  const size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
  if (second == std::string_view::npos ||
      !(iequals(value.substr(0, first), "utf-8") || iequals(value.substr(0, first), "us-ascii"))) {
    return std::nullopt;
  }
  auto decoded = path_unescape(value.substr(second + 1));
  return decoded ? std::optional<std::string>(std::move(*decoded)) : std::nullopt;
}

}  // namespace

std::optional<MediaType> parse_media_type(std::string_view value) {
  MediaType media;
  const size_t semicolon = std::min(value.find(';'), value.size());
  for (const char c : trim(value.substr(0, semicolon))) {
    media.type += ascii_lower(c);
  }
  std::string_view type = media.type;
  if (take_token(type).empty()) {
    return std::nullopt;
  }
  if (!type.empty()) {
    type.remove_prefix(1);
    if (media.type[media.type.size() - type.size() - 1] != '/' || take_token(type).empty() ||
        !type.empty()) {
      return std::nullopt;
    }
  }
  value.remove_prefix(semicolon);
  std::map<std::string, std::string, std::less<>> extended;
  while (true) {
    std::string name, text;
    if (!take_parameter(value, name, text)) {
      return std::nullopt;
    }
    if (name.empty()) {
      break;
    }
    auto& list = name.back() == '*' ? extended : media.parameters;
    if (!list.emplace(std::move(name), std::move(text)).second) {
      return std::nullopt;
    }
  }
  for (const auto& [name, text] : extended) {
    if (auto decoded = extended_value(text)) {
      media.parameters[name.substr(0, name.size() - 1)] = std::move(*decoded);
    }
  }
  return media;
}

std::string_view status_text(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 414:
      return "Request URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Requested Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 418:
      return "I'm a teapot";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Entity";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 511:
      return "Network Authentication Required";
    default:
      return {};
  }
}

}  // namespace ica::http
