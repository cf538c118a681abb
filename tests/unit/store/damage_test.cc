#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/store/store.h"
#include "tests/unit/scratch_dir.h"

namespace ica::store {
namespace {

namespace fs = std::filesystem;
using test::ScratchDir;

Result<std::unique_ptr<Store>> open(const fs::path& path) {
  Options options;
  options.path = path;
  return Store::open(options);
}

Status put(Store& store, Family family, BytesView key, BytesView value) {
  Batch batch;
  batch.put(family, key, value);
  return store.commit(std::move(batch), Sync::Yes);
}

void fill(const fs::path& path) {
  auto store = *open(path);
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(put(*store, Family::Pins, fmt::format("key {:06}", i), std::string(100, 'v')));
  }
  REQUIRE(store->flush());
}

// Inverts `n` bytes in the middle of a file.
void flip(const fs::path& file, size_t n) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>((fs::file_size(file) - n) / 2);
  std::string bytes(n, '\0');
  f.seekg(middle);
  f.read(bytes.data(), static_cast<std::streamsize>(n));
  for (auto& c : bytes) {
    c = static_cast<char>(~c);
  }
  f.seekp(middle);
  f.write(bytes.data(), static_cast<std::streamsize>(n));
}

std::vector<fs::path> files(const fs::path& dir, std::string_view start, std::string_view end) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(dir)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(start) && name.ends_with(end)) {
      out.push_back(entry.path());
    }
  }
  return out;
}

// Runs `body` in a child process and gives its exit code.
template <typename Body>
int in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("what was committed with a sync is there after the process dies") {
  ScratchDir dir;
  const int code = in_child([&] {
    auto store = open(dir.path());
    for (int i = 0; i < 100; ++i) {
      if (!put(**store, Family::Pins, std::to_string(i), "x")) {
        return 1;
      }
    }
    return 0;  // _exit: no destructor runs
  });
  REQUIRE(code == 0);
  auto store = open(dir.path());
  REQUIRE(store.has_value());
  for (int i = 0; i < 100; ++i) {
    CHECK((*store)->get(Family::Pins, std::to_string(i))->has_value());
  }
}

TEST_CASE("a death before or after a commit loses none and leaves none half") {
  for (const auto point : {CommitPoint::Before, CommitPoint::After}) {
    ScratchDir dir;
    const int code = in_child([&] {
      Options options;
      options.path = dir.path();
      options.commit_hook = [point](CommitPoint at, uint64_t n) -> Status {
        if (at == point && n == 5) {
          ::_exit(7);
        }
        return {};
      };
      auto store = *Store::open(options);
      for (int i = 1; i <= 10; ++i) {
        Batch batch;
        batch.put(Family::Pins, std::to_string(i), "");
        batch.put(Family::Elems, std::to_string(i), "");
        store->commit(std::move(batch), Sync::Yes).has_value();
      }
      return 0;
    });
    REQUIRE(code == 7);
    auto store = *open(dir.path());
    for (int i = 1; i <= 10; ++i) {
      const bool expected = i < 5 || (i == 5 && point == CommitPoint::After);
      CHECK((*store->get(Family::Pins, std::to_string(i))).has_value() == expected);
      CHECK((*store->get(Family::Elems, std::to_string(i))).has_value() == expected);
    }
  }
}

TEST_CASE("a log that ends in the middle of a record opens with everything before it") {
  ScratchDir dir;
  REQUIRE(in_child([&] {
            auto store = open(dir.path());
            for (int i = 0; i < 10; ++i) {
              if (!put(**store, Family::Pins, std::to_string(i), std::string(1000, 'x'))) {
                return 1;
              }
            }
            return 0;
          }) == 0);
  const auto cut = [&](uintmax_t bytes) {
    for (const auto& log : files(dir.path(), "", ".log")) {
      if (fs::file_size(log) > bytes) {
        fs::resize_file(log, fs::file_size(log) - bytes);
      }
    }
  };
  SUBCASE("half of a record that was not acknowledged") {
    // As a death within the eleventh commit leaves it: a checksum, 1000 bytes announced, 300 there.
    std::ofstream(files(dir.path(), "", ".log").back(), std::ios::binary | std::ios::app)
        << std::string("\1\2\3\4\xe8\3\1", 7) << std::string(300, 'x');
    auto store = open(dir.path());
    REQUIRE(store.has_value());
    CHECK((*(*store)->get(Family::Pins, "9")).has_value());
  }
  SUBCASE("what a power loss makes of the end") {
    for (const std::string& end : {std::string(4000, '\0'), std::string(4000, '\xa5')}) {
      std::ofstream(files(dir.path(), "", ".log").back(), std::ios::binary | std::ios::app) << end;
      auto store = open(dir.path());
      REQUIRE(store.has_value());
      CHECK((*(*store)->get(Family::Pins, "9")).has_value());
    }
  }
  SUBCASE("half of one that was acknowledged is missed") {
    cut(500);
    for (int i = 0; i < 2; ++i) {
      const auto store = open(dir.path());
      REQUIRE_FALSE(store.has_value());
      CHECK(store.error().code() == Code::Corrupt);
      CHECK(store.error().message().find("has lost changes") != std::string::npos);
    }
    Options options;
    options.path = dir.path();
    options.read_only = true;
    CHECK((*(*Store::open(options))->get(Family::Pins, "8")).has_value());
    // The way out that the error names.
    fs::remove(dir.path() / "SYNCED");
    auto store = open(dir.path());
    REQUIRE(store.has_value());
    CHECK((*(*store)->get(Family::Pins, "8")).has_value());
    CHECK_FALSE((*(*store)->get(Family::Pins, "9")).has_value());
  }
  SUBCASE("and not in a copy, which may have been made at any moment") {
    cut(500);
    ScratchDir copy;
    fs::copy(dir.path(), copy.path(), fs::copy_options::recursive);
    auto store = open(copy.path());
    REQUIRE(store.has_value());
    CHECK((*(*store)->get(Family::Pins, "8")).has_value());
    // From here on it is a folder of its own.
    REQUIRE(put(**store, Family::Pins, "9", std::string(1000, 'x')));
    store->reset();
    for (const auto& log : files(copy.path(), "", ".log")) {
      fs::resize_file(log, 0);
    }
    CHECK(open(copy.path()).error().code() == Code::Corrupt);
  }
}

TEST_CASE("a damaged table is an error that says what to do, not a missing key") {
  ScratchDir dir;
  fill(dir.path());
  const auto tables = files(dir.path(), "", ".sst");
  REQUIRE_FALSE(tables.empty());
  for (const auto& table : tables) {
    flip(table, fs::file_size(table) / 2);
  }
  auto store = open(dir.path());
  Error error(Code::Internal, "");
  if (store) {
    auto cursor = (*store)->cursor(Family::Pins);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    }
    REQUIRE_FALSE(cursor->status().has_value());
    error = cursor->status().error();
  } else {
    error = store.error();
  }
  CHECK(error.code() == Code::Corrupt);
  CHECK(error.message().find("restore it from a backup") != std::string::npos);
}

TEST_CASE("broken management files are refused at open") {
  SUBCASE("CURRENT has other bytes") {
    ScratchDir dir;
    fill(dir.path());
    flip(dir.path() / "CURRENT", 4);
    CHECK(open(dir.path()).error().code() == Code::Corrupt);
  }
  SUBCASE("CURRENT is gone") {
    ScratchDir dir;
    fill(dir.path());
    fs::remove(dir.path() / "CURRENT");
    const auto store = open(dir.path());
    CHECK(store.error().code() == Code::Corrupt);
    CHECK(store.error().message().find("CURRENT is missing") != std::string::npos);
  }
  SUBCASE("the manifest has other bytes") {
    ScratchDir dir;
    fill(dir.path());
    for (const auto& manifest : files(dir.path(), "MANIFEST-", "")) {
      flip(manifest, 64);
    }
    CHECK(open(dir.path()).error().code() == Code::Corrupt);
  }
  SUBCASE("a table is gone") {
    ScratchDir dir;
    fill(dir.path());
    for (const auto& table : files(dir.path(), "", ".sst")) {
      fs::remove(table);
    }
    CHECK(open(dir.path()).error().code() == Code::Corrupt);
  }
}

TEST_CASE("a copy with missing files is told from other damage, and what is there can be saved") {
  ScratchDir dir;
  fill(dir.path());
  {
    auto store = *open(dir.path());
    for (int i = 0; i < 100; ++i) {
      REQUIRE(put(*store, Family::Blocks, std::to_string(i), "block"));
    }
    REQUIRE(store->flush());
    REQUIRE(put(*store, Family::Blocks, "in the log", "block"));
  }
  const auto tables = files(dir.path(), "", ".sst");
  REQUIRE(tables.size() >= 2);
  fs::remove(*std::min_element(tables.begin(), tables.end()));  // of the first flush
  const auto refused = open(dir.path());
  REQUIRE_FALSE(refused.has_value());
  CHECK(is_incomplete(refused.error()));
  REQUIRE(salvage(dir.path()).has_value());
  const auto store = open(dir.path());
  REQUIRE(store.has_value());
  for (int i = 0; i < 100; ++i) {
    CHECK(*(*store)->get(Family::Blocks, std::to_string(i)) == "block");
  }
  CHECK(*(*store)->get(Family::Blocks, "in the log") == "block");
}

TEST_CASE("a newer format is refused and left as it is") {
  ScratchDir dir;
  {
    auto store = *open(dir.path());
    REQUIRE(put(*store, Family::Meta, "format", std::to_string(Store::kFormatVersion + 1)));
  }
  for (int i = 0; i < 2; ++i) {
    const auto store = open(dir.path());
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().code() == Code::Unsupported);
    CHECK(store.error().message().find("newer version") != std::string::npos);
  }
}

TEST_CASE("a folder that another process has open is refused by name of that process") {
  ScratchDir dir;
  std::array<int, 2> ready{};
  std::array<int, 2> done{};
  REQUIRE(::pipe(ready.data()) == 0);
  REQUIRE(::pipe(done.data()) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(done[1]);
    auto store = open(dir.path());
    char byte = store ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) == 1) {
      // Until the parent closes its end.
      while (::read(done[0], &byte, 1) > 0) {
      }
    }
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  const auto store = open(dir.path());
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code() == Code::Busy);
  CHECK(store.error().message().find(std::to_string(pid)) != std::string::npos);
  ::close(done[1]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  for (const int fd : {ready[0], ready[1], done[0]}) {
    ::close(fd);
  }
  CHECK(open(dir.path()).has_value());
}

TEST_CASE("the same folder twice in one process is refused too") {
  ScratchDir dir;
  auto first = open(dir.path());
  REQUIRE(first.has_value());
  CHECK(open(dir.path()).error().code() == Code::Busy);
}

}  // namespace
}  // namespace ica::store
