#include "common/http/request_parser.h"

#include <doctest/doctest.h>

using namespace ica;
using namespace ica::http;

namespace {

struct Parsed {
  Request request;
  Framing framing;
  std::optional<Refusal> refused;
  int status() const { return refused ? refused->status : 200; }
};

Parsed parse(std::string_view head) {
  Parsed p;
  p.refused = parse_head(head, p.request, p.framing);
  return p;
}

Parsed with_fields(std::string fields, const char* line = "GET / HTTP/1.1") {
  return parse(std::string(line) + "\r\nHost: h\r\n" + fields + "\r\n");
}

}  // namespace

TEST_CASE("head: its parts") {
  const auto p = parse(
      "POST /pins/%41?name=a&x HTTP/1.1\r\nHost: localhost:9094\r\nX-One:1\r\n"
      "x-two: \t two words \t\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n");
  REQUIRE_FALSE(p.refused);
  CHECK(p.request.method == "POST");
  CHECK(p.request.target == "/pins/%41?name=a&x");
  CHECK(p.request.path == "/pins/%41");
  CHECK(p.request.query == "name=a&x");
  CHECK(p.request.version == 11);
  CHECK(p.request.header("X-ONE") == "1");
  CHECK(p.request.header("X-Two") == "two words");
  CHECK(p.framing.length == 12);
  CHECK_FALSE(p.framing.chunked);
  CHECK(p.framing.keep_alive);
  CHECK(p.framing.expect_continue);
}

TEST_CASE("head: keep-alive by version and header") {
  CHECK(with_fields("").framing.keep_alive);
  CHECK_FALSE(with_fields("Connection: foo, Close\r\n").framing.keep_alive);
  CHECK_FALSE(parse("GET / HTTP/1.0\r\n\r\n").framing.keep_alive);
  CHECK(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").framing.keep_alive);
}

TEST_CASE("head: targets") {
  CHECK(parse("GET http://h:1/x?y HTTP/1.1\r\nHost: h\r\n\r\n").request.path == "/x");
  CHECK(parse("GET http://h?y HTTP/1.1\r\nHost: h\r\n\r\n").request.path == "/");
  CHECK(parse("GET http://h?y HTTP/1.1\r\nHost: h\r\n\r\n").request.query == "y");
  CHECK(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").request.path == "*");
  CHECK(parse("CONNECT h:443 HTTP/1.1\r\n\r\n").status() == 200);
  CHECK(with_fields("", "GET /a%2fb%zz HTTP/1.1").status() == 400);
  CHECK(with_fields("", "GET /a?b=%zz HTTP/1.1").status() == 200);  // the query is not looked at
  CHECK(with_fields("", "GET a HTTP/1.1").status() == 400);
  CHECK(with_fields("", "GET /\x01 HTTP/1.1").status() == 400);
  CHECK(with_fields("", "GET /\xc3\xa4 HTTP/1.1").status() == 200);
}

TEST_CASE("head: request lines as Go takes and refuses them") {
  for (const char* line : {"", "GET", "GET /", "GET / ", "GET  / HTTP/1.1", " GET / HTTP/1.1",
                           "GET / HTTP/1.1 ", "GET / HTTP/11", "GET / HTTP/1.x", "GET / http/1.1",
                           "G(T / HTTP/1.1", "GET /a b HTTP/1.1", " / HTTP/1.1"}) {
    CAPTURE(line);
    const auto p = with_fields("", line);
    REQUIRE(p.refused);
    CHECK(p.refused->status == 400);
    CHECK(p.refused->text == "400 Bad Request");
    CHECK(check_request_line(line).has_value());
  }
  const auto old = with_fields("", "GET / HTTP/2.0");
  CHECK(old.status() == 505);
  CHECK(old.refused->text == "505 HTTP Version Not Supported: unsupported protocol version");
  CHECK(with_fields("", "GET / HTTP/0.9").status() == 505);
  CHECK(with_fields("", "BREW-it / HTTP/1.1").status() == 200);
}

TEST_CASE("head: bare line feeds are taken, folded lines and odd colons are not") {
  const auto p = parse("GET / HTTP/1.1\nHost: h\nX: 1\n\n");
  REQUIRE_FALSE(p.refused);
  CHECK(p.request.header("X") == "1");
  for (const char* fields : {" X: 1\r\n", "X: 1\r\n more\r\n", "X: 1\r\n\tmore\r\n", "X : 1\r\n",
                             "X\t: 1\r\n", ": 1\r\n", "X\r\n", "A B: 1\r\n"}) {
    CAPTURE(fields);
    const auto refused = with_fields(fields).refused;
    REQUIRE(refused);
    CHECK(refused->text == "400 Bad Request");
  }
  CHECK(with_fields("X(: 1\r\n").refused->text == "400 Bad Request: invalid header name");
  CHECK(with_fields("X: a\x01\r\n").refused->text == "400 Bad Request: invalid header value");
  CHECK(with_fields("X: a\rb\r\n").refused->text == "400 Bad Request: invalid header value");
}

TEST_CASE("head: Host") {
  CHECK(parse("GET / HTTP/1.1\r\n\r\n").refused->text ==
        "400 Bad Request: missing required Host header");
  CHECK(parse("GET / HTTP/1.0\r\n\r\n").status() == 200);
  CHECK(parse("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").refused->text == "400 Bad Request");
  CHECK(parse("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").refused->text ==
        "400 Bad Request: malformed Host header");
  CHECK(parse("GET / HTTP/1.1\r\nHost: [::1]:9094\r\n\r\n").status() == 200);
}

TEST_CASE("head: framing that could be read in two ways is refused") {
  for (const char* fields :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content-Length: +5\r\n",
        "Content-Length: -1\r\n", "Content-Length: 5, 5\r\n", "Content-Length: 0x5\r\n",
        "Content-Length:\r\n", "Content-Length: 1 2\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length : 5\r\n"}) {
    CAPTURE(fields);
    CHECK(with_fields(fields, "POST / HTTP/1.1").status() == 400);
  }
  for (const char* fields :
       {"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding:\r\n"}) {
    CAPTURE(fields);
    CHECK(with_fields(fields, "POST / HTTP/1.1").status() == 501);
  }
  CHECK(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status() == 400);
  CHECK(with_fields("Transfer-Encoding: Chunked\r\n").framing.chunked);
  CHECK(with_fields("Expect: a miracle\r\n").status() == 417);
}

TEST_CASE("head end: found at once and byte by byte") {
  const std::string one = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string two = "GET / HTTP/1.1\nHost: h\n\n";
  const std::string mixed = "GET / HTTP/1.1\nHost: h\n\r\n";
  for (const std::string& head : {one, two, mixed}) {
    size_t scanned = 0;
    CHECK(find_head_end(head + "rest", scanned) == head.size());
    scanned = 0;
    for (size_t n = 0; n < head.size(); ++n) {
      CHECK(find_head_end(std::string_view(head).substr(0, n), scanned) == std::string::npos);
    }
    CHECK(find_head_end(head, scanned) == head.size());
  }
  size_t scanned = 0;
  CHECK(find_head_end("\r\nGET", scanned) == 2);
  CHECK(find_head_end("\nGET", scanned) == 1);
}

namespace {

// Feeds `bytes` in pieces of `step`.
Result<Bytes> dechunk(const std::string& bytes, size_t step, size_t* used = nullptr) {
  ChunkDecoder decoder;
  Bytes out;
  std::string buffer;
  size_t fed = 0;
  while (!decoder.done() && fed < bytes.size()) {
    buffer += bytes.substr(fed, step);
    fed = std::min(fed + step, bytes.size());
    auto n = decoder.decode(buffer, out);
    if (!n) {
      return fail(std::move(n).error());
    }
    buffer.erase(0, *n);
  }
  if (used != nullptr) {
    *used = fed - buffer.size();
  }
  if (!decoder.done()) {
    return fail(Code::Closed, "incomplete");
  }
  return out;
}

}  // namespace

TEST_CASE("chunks: any cut gives the same bytes") {
  const std::string body =
      "5\r\nhello\r\n1;ext=1;q=\"a;b\"\r\n \r\n00A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n";
  for (size_t step = 1; step <= body.size(); ++step) {
    CAPTURE(step);
    size_t used = 0;
    const auto out = dechunk(body, step, &used);
    REQUIRE(out);
    CHECK(*out == "hello 0123456789");
    CHECK(used == body.size());
  }
  size_t used = 0;
  CHECK(*dechunk("0\r\n\r\nGET /", 100, &used) == "");
  CHECK(used == 5);
}

TEST_CASE("chunks: bad framing") {
  for (const char* body :
       {"x\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "-1\r\n\r\n", "5 5\r\nhello\r\n", "\r\n\r\n\r\n",
        ";\r\n\r\n", "fffffffffffffffff\r\n", "0x5\r\nhello\r\n\r\n",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n"}) {
    for (const size_t step : {size_t{1}, size_t{100}}) {
      CAPTURE(std::string(body));
      CAPTURE(step);
      const auto out = dechunk(body, step);
      REQUIRE_FALSE(out);
      CHECK(out.error().code() == Code::Protocol);
    }
  }
  const auto endless = dechunk("5;" + std::string(20000, 'x'), 1000);
  REQUIRE_FALSE(endless);
  CHECK(endless.error().code() == Code::Protocol);
  const auto trailers = dechunk("0\r\nX: " + std::string(20000, 'x'), 1000);
  REQUIRE_FALSE(trailers);
  CHECK(trailers.error().code() == Code::Protocol);
}
