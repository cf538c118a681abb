#include <doctest/doctest.h>
#include <random>

#include "tests/unit/adder/parts.h"

namespace ica::adder {
namespace {

using testing::parse;

// Every way to cut the body into pieces has to give the same parts.
void check(const std::string& body, const std::string& expected) {
  for (const size_t size : {1, 2, 3, 7, 16, 1000}) {
    CAPTURE(size);
    CHECK(parse(body, size) == expected);
  }
}

const std::string kFile = "Content-Type: application/octet-stream\r\n\r\n";

TEST_CASE("files, directories and links") {
  check(
      "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tree\"\r\n"
      "Content-Type: application/x-directory\r\n\r\n\r\n"
      "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tree%2Fa+b.txt\"\r\n" +
          kFile + "alpha\n\r\n" +
          "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tree/l\"\r\n"
          "Content-Type: application/symlink\r\n\r\na.txt\r\n--b1--\r\n",
      "dir [tree] ; file [tree/a b.txt] alpha\n; link [tree/l] a.txt; end");
}

TEST_CASE("content that looks like a boundary") {
  check("--b1\r\n\r\nx\r\n--b\r\n--b1x\r\n\r\r\n--b1--", "file [] x\r\n--b\r\n--b1x\r\n\r; end");
}

TEST_CASE("what stands around the parts, and empty ones") {
  check("preamble\r\n--b1\r\n\r\nx\r\n--b1--", "file [] x; end");
  check("--b1  \r\n\r\nx\r\n--b1-- \r\nepilogue", "file [] x; end");
  check("--b1\r\nA: 1\r\n\r\n\r\n--b1--", "file [] ; end");
  check("--b1\r\nA: 1\r\n\r\n--b1\r\n\r\nx\r\n--b1--", "file [] ; file [] x; end");
  check("--b1x\r\n--b1\r\n\r\nx\r\n--b1--", "file [] x; end");
}

TEST_CASE("headers: folded lines, extended names, no colon") {
  check("--b1\r\nContent-Disposition: form-data;\r\n filename=\"a b\"\r\n\r\nx\r\n--b1--",
        "file [a b] x; end");
  check(
      "--b1\r\nContent-Disposition: form-data; filename*=UTF-8''n%C3%A4.txt\r\n\r\nx\r\n"
      "--b1--",
      "file [n\xc3\xa4.txt] x; end");
  check("--b1\r\nno colon\r\n\r\nx\r\n--b1--", "error malformed MIME header line: no colon");
  check("--b1\r\nContent-Type: a/b/c\r\n\r\nx\r\n--b1--", "error mime: invalid media parameter");
}

TEST_CASE("bare line feeds") {
  check("--b1\nA: 1\n\none\n--b1\n\ntwo\n--b1--\n", "file [] one; file [] two; end");
}

TEST_CASE("random content, cut anywhere") {
  std::mt19937 random(7);
  static constexpr const char* kPieces[] = {"\r\n", "--b", "\r", "\n", "-", "x", "\r\n--"};
  for (int round = 0; round < 200; ++round) {
    std::string body, expected;
    for (auto parts = random() % 4 + 1; parts > 0; --parts) {
      std::string content;
      for (auto i = random() % 12; i > 0; --i) {
        content += kPieces[random() % 7];
      }
      body += "--b1\r\n\r\n" + content + "\r\n";
      expected += "file [] " + content + "; ";
    }
    CHECK(parse(body + "--b1--", random() % 20 + 1) == expected + "end");
  }
}

TEST_CASE("names are cleaned") {
  check(
      "--b1\r\nContent-Disposition: attachment; filename=\"../..//x/./evil.txt\"\r\n\r\n1\r\n"
      "--b1\r\nContent-Disposition: form-data; filename=\"q\\\"%zz\"\r\n\r\n2\r\n--b1--\r\n",
      "file [x/evil.txt] 1; file [q\"%zz] 2; end");
}

TEST_CASE("no parts, a missing boundary, a body cut short") {
  check("--b1--\r\n", "end");
  check("hello", "error multipart: NextPart: EOF");
  check("--b1\r\n\r\nabc", "file [] abcerror unexpected EOF");
  check("--b1\r\nContent-Ty", "error multipart: NextPart: EOF");
}

TEST_CASE("a part header without end is refused") {
  const std::string body = "--b1\r\nX: " + std::string(100'000, 'a');
  CHECK(parse(body, 4096) == "error multipart: NextPart: bufio: buffer full");
}

TEST_CASE("boundary of a content type") {
  CHECK(multipart_boundary("multipart/form-data; boundary=abc").value() == "abc");
  CHECK(multipart_boundary("Multipart/Mixed; charset=x; Boundary=\"a b\"").value() == "a b");
  CHECK(multipart_boundary("text/plain").error().message() ==
        "request Content-Type isn't multipart/form-data");
  CHECK(multipart_boundary("").error().message() ==
        "request Content-Type isn't multipart/form-data");
  CHECK(multipart_boundary("multipart/form-data").error().message() ==
        "no multipart boundary param in Content-Type");
}

}  // namespace
}  // namespace ica::adder
