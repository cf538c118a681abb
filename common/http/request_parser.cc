#include "common/http/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>

#include "common/codec/url_escape.h"
#include "common/http/headers.h"
#include "common/http/url.h"

namespace ica::http {

namespace {

namespace beast = boost::beast::http;
using boost::system::error_code;

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kMaxFramingLine = 8192;
constexpr size_t kShortestFraming = 5;

bool is_control(char c) {
  return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f;
}

struct RequestLine {
  std::string_view method, target, version;
};

std::optional<RequestLine> split_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t second = first == kNone ? kNone : line.find(' ', first + 1);
  if (second == kNone) {
    return std::nullopt;
  }
  return RequestLine{line.substr(0, first), line.substr(first + 1, second - first - 1),
                     line.substr(second + 1)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_version(std::string_view v) {
  return v.size() == 8 && v.starts_with("HTTP/") && is_digit(v[5]) && v[6] == '.' && is_digit(v[7]);
}

// Where the path starts in an absolute target ("http://host/path"); 0 for "/path", npos for
// nonsense.
size_t path_offset(std::string_view target) {
  if (target.starts_with('/') || target == "*") {
    return 0;
  }
  const size_t scheme = target.find("://");
  if (scheme == kNone || scheme == 0) {
    return kNone;
  }
  for (const char c : target.substr(0, scheme)) {
    if (!is_token_char(c)) {
      return kNone;
    }
  }
  return std::min(target.find_first_of("/?", scheme + 3), target.size());
}

// Everything that Go's url.ParseRequestURI refuses.
bool split_target(Request& request) {
  for (const char c : request.target) {
    if (is_control(c) || c == '\t') {
      return false;
    }
  }
  if (request.method == "CONNECT" && !request.target.starts_with('/')) {
    request.path.clear();
    return !request.target.empty();
  }
  const size_t start = path_offset(request.target);
  if (start == kNone) {
    return false;
  }
  const std::string_view rest = std::string_view(request.target).substr(start);
  const size_t question = std::min(rest.find('?'), rest.size());
  request.path = rest.substr(0, question);
  request.query = rest.substr(std::min(question + 1, rest.size()));
  if (request.path.empty()) {
    request.path = "/";
  }
  return path_unescape(request.path).has_value();
}

bool is_valid_host(std::string_view host) {
  for (const char c : host) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
                    std::string_view("!$%&'()*+,-.:;=[]_~").find(c) != kNone;
    if (!ok) {
      return false;
    }
  }
  return true;
}

// Takes one line off the front, without its ending (CRLF, or LF as Go's textproto allows).
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == kNone ? text.size() : end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

// One field line; the texts are those of Go's readRequest.
std::optional<Refusal> read_field(std::string_view line, Headers& headers) {
  if (line.front() == ' ' || line.front() == '\t') {
    return refusal(400);  // a folded line; deprecated, and two servers rarely read it alike
  }
  const size_t colon = line.find(':');
  if (colon == kNone || colon == 0) {
    return refusal(400);
  }
  const std::string_view name = line.substr(0, colon);
  for (const char c : name) {
    if (c == ' ' || c == '\t') {
      return refusal(400);
    }
    if (!is_token_char(c)) {
      return refusal(400, "invalid header name");
    }
  }
  const std::string_view value = trim(line.substr(colon + 1));
  for (const char c : value) {
    if (is_control(c)) {
      return refusal(400, "invalid header value");
    }
  }
  headers.emplace_back(name, value);
  return std::nullopt;
}

std::optional<uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) {
    return std::nullopt;
  }
  uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) {
      return std::nullopt;
    }
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

std::optional<Refusal> read_framing(const Request& request, Framing& framing) {
  size_t hosts = 0, lengths = 0, encodings = 0;
  for (const auto& [name, value] : request.headers) {
    if (iequals(name, "Host")) {
      ++hosts;
      if (!is_valid_host(value)) {
        return refusal(400, "malformed Host header");
      }
    } else if (iequals(name, "Content-Length")) {
      ++lengths;
      const auto length = parse_length(value);
      if (!length) {
        return refusal(400);
      }
      framing.length = *length;
    } else if (iequals(name, "Transfer-Encoding")) {
      ++encodings;
      if (!iequals(value, "chunked")) {
        return Refusal{501, "Unsupported transfer encoding"};
      }
      framing.chunked = true;
    }
  }
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0) || hosts > 1 ||
      (encodings > 0 && request.version < 11)) {
    return refusal(400);
  }
  if (hosts == 0 && request.version >= 11 && request.method != "CONNECT") {
    return refusal(400, "missing required Host header");
  }
  framing.keep_alive = request.version >= 11
                           ? !has_token(request.headers, "Connection", "close")
                           : has_token(request.headers, "Connection", "keep-alive");
  if (const auto expect = request.header("Expect"); !expect.empty() && request.version >= 11) {
    if (!iequals(expect, "100-continue")) {
      return Refusal{417, {}};
    }
    framing.expect_continue = framing.chunked || framing.length > 0;
  }
  return std::nullopt;
}

}  // namespace

Refusal refusal(int status, std::string_view detail) {
  std::string text = std::to_string(status) + ' ' + std::string(status_text(status));
  if (!detail.empty()) {
    text += ": ";
    text += detail;
  }
  return {status, std::move(text)};
}

size_t find_head_end(std::string_view bytes, size_t& scanned) {
  if (bytes.starts_with('\n')) {
    return 1;
  }
  if (bytes.starts_with("\r\n")) {
    return 2;
  }
  while (true) {
    const size_t line = bytes.find('\n', scanned);
    if (line == kNone) {
      scanned = bytes.size();
      return kNone;
    }
    const std::string_view next = bytes.substr(line + 1, 2);
    if (next.starts_with('\n')) {
      return line + 2;
    }
    if (next == "\r\n") {
      return line + 3;
    }
    if (next.empty() || next == "\r") {
      scanned = line;
      return kNone;
    }
    scanned = line + 1;
  }
}

std::optional<Refusal> check_request_line(std::string_view line) {
  const auto parts = split_request_line(line);
  if (!parts || parts->method.empty() || !is_version(parts->version)) {
    return refusal(400);
  }
  for (const char c : parts->method) {
    if (!is_token_char(c)) {
      return refusal(400);
    }
  }
  return std::nullopt;
}

std::optional<Refusal> parse_head(std::string_view head, Request& request, Framing& framing) {
  const std::string_view first = take_line(head);
  if (auto refused = check_request_line(first)) {
    return refused;
  }
  const auto parts = *split_request_line(first);
  request.method = parts.method;
  request.target = parts.target;
  if (!split_target(request)) {
    return refusal(400);
  }
  while (true) {
    const std::string_view line = take_line(head);
    if (line.empty()) {
      break;
    }
    if (auto refused = read_field(line, request.headers)) {
      return refused;
    }
  }
  if (parts.version[5] != '1') {
    return refusal(505, "unsupported protocol version");
  }
  request.version = parts.version[7] == '0' ? 10 : 11;
  return read_framing(request, framing);
}

// Beast's parser reads whole messages; it is given a made-up head so that it starts at the first
// chunk.
class ChunkDecoder::Parser final : public beast::basic_parser<true> {
 public:
  Parser() {
    eager(false);  // one element at a call, so that decode() sees each one's beginning
    body_limit(boost::none);
    header_limit(kMaxFramingLine);
    error_code ec;
    constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    put(asio::buffer(kHead), ec);
    ICA_ASSERT(!ec && is_header_done());
  }

  Bytes* out = nullptr;
  uint64_t chunk_left = 0;

 private:
  using View = boost::beast::string_view;
  void on_request_impl(beast::verb, View, View, int, error_code& ec) override { ec = {}; }
  void on_response_impl(int, View, int, error_code& ec) override { ec = {}; }
  void on_field_impl(beast::field, View, View, error_code& ec) override { ec = {}; }
  void on_header_impl(error_code& ec) override { ec = {}; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code& ec) override { ec = {}; }
  size_t on_body_impl(View, error_code& ec) override {
    ec = beast::error::bad_chunk;
    return 0;
  }
  void on_chunk_header_impl(uint64_t size, View, error_code& ec) override {
    ec = {};
    chunk_left = size;
  }
  size_t on_chunk_body_impl(uint64_t, View body, error_code& ec) override {
    ec = {};
    out->append(body.data(), body.size());
    chunk_left -= body.size();
    return body.size();
  }
  void on_finish_impl(error_code& ec) override { ec = {}; }
};

ChunkDecoder::ChunkDecoder() = default;
ChunkDecoder::~ChunkDecoder() = default;
ChunkDecoder::ChunkDecoder(ChunkDecoder&&) noexcept = default;
ChunkDecoder& ChunkDecoder::operator=(ChunkDecoder&&) noexcept = default;

bool ChunkDecoder::done() const {
  return parser_ && parser_->is_done();
}

Result<size_t> ChunkDecoder::decode(std::string_view bytes, Bytes& out) {
  if (!parser_) {
    parser_ = std::make_unique<Parser>();
  }
  parser_->out = &out;
  size_t used = 0;
  while (used < bytes.size() && !parser_->is_done()) {
    error_code ec;
    const std::string_view rest = bytes.substr(used);
    // No framing is shorter than "0\r\n\r\n", and Beast asserts on seeing less of it twice.
    if (parser_->chunk_left == 0 && rest.size() < kShortestFraming) {
      break;
    }
    const size_t n = parser_->put(asio::buffer(rest), ec);
    used += n;
    if (ec == beast::error::need_more) {
      if (bytes.size() - used > kMaxFramingLine) {
        return fail(Code::Protocol, "malformed chunked encoding: line too long");
      }
      break;
    }
    if (ec) {
      return fail(Code::Protocol, "malformed chunked encoding: {}", ec.message());
    }
  }
  return used;
}

}  // namespace ica::http
