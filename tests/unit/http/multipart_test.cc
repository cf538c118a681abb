#include "common/http/multipart.h"

#include <doctest/doctest.h>
#include <random>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

// What a body consists of, as text: "[headers]content" per part, "$" at the end, "!message" on
// failure.
std::string describe(const std::string& body, std::string_view boundary, size_t step) {
  using Event = MultipartParser::Event;
  MultipartParser parser(boundary);
  std::string out;
  size_t fed = 0;
  while (true) {
    const auto event = parser.next();
    if (!event) {
      return out + "!" + event.error().message();
    }
    switch (*event) {
      case Event::NeedMore:
        if (fed < body.size()) {
          parser.feed(std::string_view(body).substr(fed, step));
          fed += step;
        } else {
          parser.feed_end();
        }
        break;
      case Event::Part:
        out += "[";
        for (const auto& [name, value] : parser.headers()) {
          out += name + "=" + value + ";";
        }
        out += "]";
        break;
      case Event::Data:
        out += parser.data();
        break;
      case Event::PartEnd:
        out += "/";
        break;
      case Event::End:
        return out + "$";
    }
  }
}

// The same whatever the cuts are.
std::string parts_of(const std::string& body, std::string_view boundary = "b") {
  std::string expected = describe(body, boundary, body.size() + 1);
  for (size_t step = 1; step <= std::min<size_t>(body.size(), 70); ++step) {
    const std::string got = describe(body, boundary, step);
    if (got != expected) {
      return fmt::format("step {}: {} instead of {}", step, got, expected);
    }
  }
  return expected;
}

}  // namespace

TEST_CASE("multipart: parts, at every cut") {
  CHECK(parts_of("--b\r\nA: 1\r\nB: 2\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n") ==
        "[A=1;B=2;]one/[]two/$");
  CHECK(parts_of("preamble\r\n--b\r\n\r\nx\r\n--b--") == "[]x/$");
  CHECK(parts_of("--b  \r\n\r\nx\r\n--b-- \r\nepilogue") == "[]x/$");
  CHECK(parts_of("--b\r\nA: 1\r\n folded\r\n\r\nx\r\n--b--") == "[A=1 folded;]x/$");
}

TEST_CASE("multipart: empty parts") {
  CHECK(parts_of("--b\r\nA: 1\r\n\r\n\r\n--b--") == "[A=1;]/$");
  CHECK(parts_of("--b\r\nA: 1\r\n\r\n--b\r\n\r\nx\r\n--b--") == "[A=1;]/[]x/$");
  CHECK(parts_of("--b--\r\n") == "$");
}

TEST_CASE("multipart: what looks like a boundary and is none") {
  CHECK(parts_of("--b\r\n\r\nx\r\n--bee\r\n-b\r\n--\r\n\r\r\n--b--") ==
        "[]x\r\n--bee\r\n-b\r\n--\r\n\r/$");
  CHECK(parts_of("--b\r\n\r\n--bx\r\n--b--") == "[]--bx/$");
  CHECK(parts_of("--bx\r\n--b\r\n\r\nx\r\n--b--") == "[]x/$");
}

TEST_CASE("multipart: bare line feeds") {
  CHECK(parts_of("--b\nA: 1\n\none\n--b\n\ntwo\n--b--\n") == "[A=1;]one/[]two/$");
}

TEST_CASE("multipart: cut short") {
  CHECK(parts_of("") == "!multipart: NextPart: EOF");
  CHECK(parts_of("nothing of the kind") == "!multipart: NextPart: EOF");
  CHECK(parts_of("--b") == "!multipart: NextPart: EOF");
  CHECK(parts_of("--b\r\nA: 1\r\n") == "!multipart: NextPart: EOF");
  CHECK(parts_of("--b\r\n\r\nhalf") == "[]half!unexpected EOF");
  CHECK(parts_of("--b\r\n\r\nhalf\r\n--") == "[]half\r\n--!unexpected EOF");
  CHECK(parts_of("--b\r\nno colon\r\n\r\nx\r\n--b--").find('!') != std::string::npos);
}

TEST_CASE("multipart: headers are bounded") {
  const std::string body =
      "--b\r\nA: " + std::string(MultipartParser::kMaxPartHeaders, 'a') + "\r\n\r\nx\r\n--b--";
  CHECK(describe(body, "b", 4096) == "!multipart: message too large");
  CHECK(describe(std::string(1 << 20, 'x'), "b", 4096) == "!multipart: no boundary");
}

TEST_CASE("multipart: random content survives the writer and the parser") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    MultipartWriter writer("bound");
    std::string body, expected;
    const int parts = static_cast<int>(random() % 4) + 1;
    for (int p = 0; p < parts; ++p) {
      std::string content;
      static constexpr const char* kPieces[] = {"\r\n", "--bound", "\r", "\n", "-", "x", "\r\n--"};
      for (auto i = random() % 12; i > 0; --i) {
        content += kPieces[random() % 7];
      }
      if (content.find("--bound") != std::string::npos) {
        continue;  // a writer picks its boundary so that this does not happen
      }
      body += writer.part({{"N", std::to_string(p)}}) + content;
      expected += fmt::format("[N={};]{}/", p, content);
    }
    body += writer.end();
    CHECK(describe(body, "bound", random() % 20 + 1) == expected + "$");
  }
}

TEST_CASE("multipart: boundary of a request") {
  const auto boundary = [](const char* value) {
    return multipart_boundary({{"Content-Type", value}});
  };
  CHECK(*boundary("multipart/form-data; boundary=abc") == "abc");
  CHECK(*boundary("multipart/mixed; boundary=\"a b\"") == "a b");
  CHECK(boundary("text/plain").error().message() ==
        "request Content-Type isn't multipart/form-data");
  CHECK(boundary("multipart/form-data").error().message() ==
        "no multipart boundary param in Content-Type");
}

namespace {

Task<void> list_parts(Request& request, ResponseWriter& writer) {
  const auto boundary = multipart_boundary(request.headers);
  if (!boundary) {
    (void)co_await writer.send(400, {}, boundary.error().message());
    co_return;
  }
  MultipartReader reader(*request.body, *boundary);
  std::string out;
  while (true) {
    auto part = co_await reader.next();
    if (!part) {
      out += "!" + part.error().message();
      break;
    }
    if (!*part) {
      break;
    }
    size_t size = 0;
    while ((*part)->form_name != "skip") {
      auto piece = co_await reader.read();
      if (!piece || !*piece) {
        break;
      }
      size += (*piece)->size();
    }
    out += fmt::format("{}|{}|{}\n", (*part)->form_name, (*part)->file_name, size);
  }
  (void)co_await writer.send(200, {}, std::move(out));
}

Task<Result<Bytes>> upload(Client& client, std::string url) {
  MultipartWriter writer;
  ClientRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.streamed_body = true;
  request.headers = {{"Content-Type", writer.content_type()}};
  CO_TRY(auto stream, co_await client.open(std::move(request)));
  CO_TRY_VOID(co_await stream->write(writer.file("file", "a b/\xc3\xa4.txt", "text/plain")));
  for (int i = 0; i < 64; ++i) {
    CO_TRY_VOID(co_await stream->write(Bytes(65536, 'x')));
  }
  CO_TRY_VOID(co_await stream->write(writer.file("skip", "s", "text/plain")));
  CO_TRY_VOID(co_await stream->write(Bytes(300000, 'y')));
  CO_TRY_VOID(co_await stream->write(writer.file("last", "", "text/plain")));
  CO_TRY_VOID(co_await stream->write(writer.end()));
  CO_TRY_VOID(co_await stream->finish());
  CO_TRY(const int status, co_await stream->status());
  Bytes all = std::to_string(status) + "\n";
  while (true) {
    CO_TRY(auto piece, co_await stream->read());
    if (!piece) {
      co_return all;
    }
    all += *piece;
  }
}

}  // namespace

TEST_CASE("multipart: streamed from client to server, parts skipped") {
  TestServer server(list_parts);
  Client client({});
  const auto answer = server.loop().run(upload(client, server.url("/")));
  REQUIRE(answer);
  CHECK(*answer == "200\nfile|a%20b%2F%C3%A4.txt|4194304\nskip|s|0\nlast||0\n");
}
