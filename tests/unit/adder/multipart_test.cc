#include <deque>
#include <doctest/doctest.h>

#include "agent/adder/part_source.h"

namespace ica::adder {
namespace {

// A body that arrives in pieces of a chosen size.
class Pieces final : public http::BodyReader {
 public:
  Pieces(std::string data, size_t size) : data_(std::move(data)), size_(size) {}
  Task<Result<std::optional<Bytes>>> read() override {
    if (at_ >= data_.size()) {
      co_return std::optional<Bytes>();
    }
    Bytes piece = data_.substr(at_, size_);
    at_ += piece.size();
    co_return std::optional<Bytes>(std::move(piece));
  }

 private:
  std::string data_;
  size_t size_;
  size_t at_ = 0;
};

std::string kind_name(PartKind kind) {
  switch (kind) {
    case PartKind::File:
      return "file";
    case PartKind::Directory:
      return "dir";
    case PartKind::Symlink:
      return "link";
  }
  return "?";
}

Task<void> collect(std::string body, size_t size, std::string& out) {
  Pieces pieces(std::move(body), size);
  auto source = read_multipart(pieces, "b1");
  while (true) {
    auto part = co_await source->next();
    if (!part) {
      out += "error " + part.error().message();
      co_return;
    }
    if (!*part) {
      out += "end";
      co_return;
    }
    const std::string head = kind_name((*part)->kind) + " [" + (*part)->path + "] ";
    out += head;
    while (true) {
      auto piece = co_await source->read();
      if (!piece) {
        out += "error " + piece.error().message();
        co_return;
      }
      if (!*piece) {
        break;
      }
      out += **piece;
    }
    out += "; ";
  }
}

std::string parse(const std::string& body, size_t size) {
  asio::io_context context;
  std::string out;
  asio::co_spawn(context, collect(body, size, out), asio::detached);
  context.run();
  return out;
}

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
