#include "common/http/url.h"

#include <doctest/doctest.h>

#include "common/codec/url_escape.h"

using namespace ica;
using namespace ica::http;

TEST_CASE("query: as Go's url.ParseQuery") {
  const Query q("a=1&b=x+y&a=2&c&=only&d=%41%2b&&e=a=b");
  CHECK(q.get("a") == "1");
  CHECK(q.all("a").size() == 2);
  CHECK(q.get("b") == "x y");
  CHECK(q.has("c"));
  CHECK(q.get("c").empty());
  CHECK(q.get("") == "only");
  CHECK(q.get("d") == "A+");
  CHECK(q.get("e") == "a=b");
  CHECK_FALSE(q.has("f"));
  CHECK(q.pairs().size() == 7);
}

TEST_CASE("query: a bad escape or a semicolon drops the pair, and only it") {
  const Query q("filter=%zz&x=1;y=2&%=3&z=%4&ok=1&t=%");
  CHECK(q.pairs().size() == 1);
  CHECK(q.get("ok") == "1");
  CHECK(Query("").pairs().empty());
  CHECK(Query("&&&").pairs().empty());
}

TEST_CASE("query: bytes of every kind survive") {
  std::string all;
  for (int c = 0; c < 256; ++c) {
    all += static_cast<char>(c);
  }
  CHECK(Query("k=" + percent_encode(all)).get("k") == all);
  CHECK(query_unescape(percent_encode(all)) == all);
  CHECK(path_unescape(percent_encode(all)) == all);
  CHECK(path_unescape(escape_path(all)) == all);
}

TEST_CASE("percent encoding") {
  CHECK(percent_encode("a b/c~d_e-f.g") == "a%20b%2Fc~d_e-f.g");
  CHECK(escape_path("/a b/c:d@e") == "/a%20b/c:d@e");
  CHECK(path_unescape("a+b") == "a+b");
  CHECK(query_unescape("a+b") == "a b");
  CHECK_FALSE(path_unescape("%").has_value());
  CHECK_FALSE(path_unescape("%1").has_value());
  CHECK_FALSE(path_unescape("%g1").has_value());
  CHECK(path_unescape("%c3%A4") == "\xc3\xa4");
}

TEST_CASE("clean path: as the reference's router") {
  CHECK(clean_path("") == "/");
  CHECK(clean_path("/") == "/");
  CHECK(clean_path("//") == "/");
  CHECK(clean_path("//id") == "/id");
  CHECK(clean_path("/id//") == "/id/");
  CHECK(clean_path("/a/./b/../c") == "/a/c");
  CHECK(clean_path("/../..") == "/");
  CHECK(clean_path("/a/..") == "/");
  CHECK(clean_path("/a/b/") == "/a/b/");
  CHECK(clean_path("a") == "/a");
  CHECK(clean_path("/pins/x") == "/pins/x");
}
