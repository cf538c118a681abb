#include "agent/ctl/form_body.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/ctl/text.h"

namespace ica::ctl {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = fs::temp_directory_path() / "ica-form-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  void file(const char* name, const std::string& content) const {
    const fs::path at = path_ / name;
    fs::create_directories(at.parent_path());
    std::ofstream(at, std::ios::binary) << content;
    ::chmod(at.c_str(), 0640);
    const timespec when[2] = {{1577934245, 6}, {1577934245, 6}};
    ::utimensat(AT_FDCWD, at.c_str(), when, AT_SYMLINK_NOFOLLOW);
  }

 private:
  fs::path path_;
};

Task<void> read_all(FormBody* body, std::string* out, size_t* largest) {
  for (;;) {
    auto piece = co_await body->next();
    REQUIRE(piece.has_value());
    if (!piece->has_value()) {
      co_return;
    }
    *largest = std::max(*largest, (*piece)->size());
    *out += **piece;
  }
}

struct Sent {
  std::string text;  // the boundary replaced by "B"
  size_t largest = 0;
};

Sent send(FormBody& body) {
  asio::io_context loop;
  Sent sent;
  asio::co_spawn(loop, read_all(&body, &sent.text, &sent.largest), [](std::exception_ptr failed) {
    if (failed) {
      std::rethrow_exception(failed);
    }
  });
  loop.run();
  const std::string boundary = body.content_type().substr(body.content_type().find('=') + 1);
  for (size_t at = 0; (at = sent.text.find(boundary, at)) != std::string::npos;) {
    sent.text.replace(at, boundary.size(), "B");
  }
  return sent;
}

}  // namespace

TEST_CASE("a file as one part") {
  const Folder folder;
  folder.file("a b.txt", "hi\n");
  auto body = FormBody::make({folder / "a b.txt"}, {});
  REQUIRE(body);
  CHECK((*body)->total_bytes() == 3);
  const std::string expected =
      "--B\r\nAbspath-Encoded: " + query_escape((folder / "a b.txt").string()) +
      "\r\nContent-Disposition: form-data; name=\"file?mode=0640&mtime=1577934245&mtime-nsecs=6\"; "
      "filename=\"a+b.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\n\r\n--B--\r\n";
  CHECK(send(**body).text == expected);
  (*body)->rewind();
  CHECK(send(**body).text == expected);
}

TEST_CASE("directories, hidden files, symlinks") {
  const Folder folder;
  folder.file("t/b", "2");
  folder.file("t/.h", "3");
  folder.file("t/sub/c", "4");
  fs::create_symlink("b", folder / "t/a");
  auto body = FormBody::make({folder / "t"}, {.recursive = true});
  REQUIRE(body);
  const std::string text = send(**body).text;
  const auto at = [&](const char* what) { return text.find(what); };
  CHECK(at("name=\"file?mode=020000000755&") <
        at("filename=\"t\"\r\nContent-Type: application/x-directory"));
  CHECK(at("filename=\"t\"") <
        at("filename=\"t%2Fa\"\r\nContent-Type: application/symlink\r\n\r\nb\r\n"));
  CHECK(at("filename=\"t%2Fa\"") < at("filename=\"t%2Fb\""));
  CHECK(at("filename=\"t%2Fsub\"") < at("filename=\"t%2Fsub%2Fc\""));
  CHECK(at("name=\"file?mode=01000000777&") != std::string::npos);
  CHECK(at(".h") == std::string::npos);
  CHECK(text.ends_with("\r\n--B--\r\n"));
  auto hidden = FormBody::make({folder / "t"}, {.recursive = true, .hidden = true});
  REQUIRE(hidden);
  CHECK(send(**hidden).text.find("filename=\"t%2F.h\"") != std::string::npos);
  CHECK((*hidden)->total_bytes() == 3);
}

TEST_CASE("large files go out in pieces") {
  const Folder folder;
  folder.file("big", std::string(5 << 20, 'x'));
  auto body = FormBody::make({folder / "big"}, {});
  REQUIRE(body);
  uint64_t seen = 0;
  (*body)->on_progress([&](uint64_t sent) { seen = sent; });
  const Sent sent = send(**body);
  CHECK(sent.text.size() > 5U << 20);
  CHECK(sent.largest <= 256U << 10);
  CHECK(seen == 5U << 20);
}

TEST_CASE("what cannot be added is said before anything is sent") {
  const Folder folder;
  const auto why = [](const std::vector<std::string>& paths, FormOptions options) {
    const auto body = FormBody::make(paths, options);
    return body ? std::string() : body.error().message();
  };
  const std::string top = folder.path().string();
  CHECK(why({"no/such"}, {}) == "lstat no/such: no such file or directory");
  CHECK(why({top}, {}) == top + " is a directory, but Recursive option is not set");
  CHECK(why({top}, {.no_copy = true}) == "nocopy option is only valid for URLs");
  CHECK(why({"https://example.org/x"}, {.no_copy = true}) == "");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0644) == 0);
  CHECK(why({folder / "pipe"}, {}) ==
        "unrecognized file type for " + (folder / "pipe").string() + ": prw-r--r--");
}

}  // namespace ica::ctl
