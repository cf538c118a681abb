#include "common/http/headers.h"

#include <doctest/doctest.h>

using namespace ica::http;

TEST_CASE("headers: found without case, the first one") {
  const Headers headers{{"Content-Type", "a"}, {"x", "1"}, {"X", "2"}};
  CHECK(find_header(headers, "content-type") == "a");
  CHECK(find_header(headers, "X") == "1");
  CHECK(find_header(headers, "y").empty());
}

TEST_CASE("headers: tokens in lists") {
  const Headers headers{{"Connection", "Keep-Alive, upgrade"}, {"connection", " Close "}};
  CHECK(has_token(headers, "connection", "keep-alive"));
  CHECK(has_token(headers, "Connection", "close"));
  CHECK_FALSE(has_token(headers, "Connection", "keep"));
  CHECK_FALSE(has_token(headers, "Upgrade", "upgrade"));
}

TEST_CASE("headers: canonical names and reasons") {
  CHECK(canonical_header("content-type") == "Content-Type");
  CHECK(canonical_header("X-STREAM-error") == "X-Stream-Error");
  CHECK(status_text(204) == "No Content");
  CHECK(status_text(418) == "I'm a teapot");
  CHECK(status_text(299).empty());
}

TEST_CASE("media type: parameters, quotes, case") {
  auto media = parse_media_type("Multipart/Form-Data; Boundary=abc; charset=\"a \\\"b\\\"\"");
  REQUIRE(media);
  CHECK(media->type == "multipart/form-data");
  CHECK(media->parameter("boundary") == "abc");
  CHECK(media->parameter("charset") == "a \"b\"");
  CHECK(media->parameter("x").empty());
  media = parse_media_type("form-data; name=\"file\"; filename=\"C:\\dir\\f.txt\"");
  REQUIRE(media);
  CHECK(media->parameter("filename") == "C:\\dir\\f.txt");
  CHECK(parse_media_type("text/plain;")->type == "text/plain");
}

TEST_CASE("media type: extended values") {
  const auto name = [](const char* text) {
    return std::string(parse_media_type(text).value().parameter("filename"));
  };
  CHECK(name("form-data; filename*=UTF-8''na%C3%AFve.txt") == "na\xc3\xafve.txt");
  CHECK(name("form-data; filename*=utf-8'en'b%20c; filename=plain") == "b c");
  CHECK(name("form-data; filename=plain; filename*=UTF-8''%zz") == "plain");
  CHECK(name("form-data; filename=plain; filename*=koi8-r''%41") == "plain");
  CHECK(name("form-data; filename*=plain") == "");
  CHECK(name("form-data; *=x; filename=plain") == "plain");
}

TEST_CASE("media type: malformed") {
  for (const char* text : {"", "/", "text/", "text/pl ain", "a/b/c", "text/plain; x",
                           "text/plain; x=", "text/plain; x=\"open", "text/plain; x=1; X=2",
                           "text/plain x=1", "text/plain; =1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_media_type(text).has_value());
  }
}
