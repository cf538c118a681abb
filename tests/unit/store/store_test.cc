#include "agent/store/store.h"

#include <chrono>
#include <doctest/doctest.h>
#include <fstream>

#include "tests/unit/scratch_dir.h"

namespace ica::store {
namespace {

using test::ScratchDir;

std::unique_ptr<Store> open(const std::filesystem::path& path, bool read_only = false) {
  Options options;
  options.path = path;
  options.read_only = read_only;
  auto store = Store::open(options);
  REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().message()));
  return *std::move(store);
}

void put(Store& store, Family family, BytesView key, BytesView value) {
  Batch batch;
  batch.put(family, key, value);
  REQUIRE(store.commit(std::move(batch), Sync::Yes));
}

std::optional<Bytes> get(const Store& store, Family family, BytesView key,
                         const SnapshotPtr& snapshot = nullptr) {
  auto value = store.get(family, key, snapshot);
  REQUIRE(value.has_value());
  return *value;
}

std::vector<Bytes> keys(Cursor& cursor) {
  std::vector<Bytes> out;
  for (cursor.seek_first(); cursor.valid(); cursor.next()) {
    out.emplace_back(cursor.key());
  }
  REQUIRE(cursor.status().has_value());
  return out;
}

TEST_CASE("a batch is visible as a whole, in the order of its calls") {
  ScratchDir dir;
  auto store = open(dir.path() / "db");
  Batch batch;
  CHECK(batch.empty());
  batch.put(Family::Pins, "a", "1");
  batch.put(Family::Elems, "a", "2");
  batch.put(Family::Pins, "b", "3");
  batch.del(Family::Pins, "b");
  CHECK(batch.bytes() > 0);
  Batch more;
  more.put(Family::Pins, "c", "4");
  batch.append(more);
  CHECK(get(*store, Family::Pins, "a") == std::nullopt);
  REQUIRE(store->commit(std::move(batch), Sync::Yes));
  CHECK(get(*store, Family::Pins, "a") == "1");
  CHECK(get(*store, Family::Elems, "a") == "2");
  CHECK(get(*store, Family::Pins, "b") == std::nullopt);
  CHECK(get(*store, Family::Pins, "c") == "4");
  const auto many = store->multi_get(Family::Pins, {"a", "b", "c"});
  REQUIRE(many.size() == 3);
  CHECK(**many[0] == "1");
  CHECK_FALSE(many[1]->has_value());
  CHECK(**many[2] == "4");
  CHECK(store->stats().synced_commits == 1);
  CHECK(store->stats().sync_seconds > 0);
}

TEST_CASE("families, keys with zero bytes and a range delete") {
  ScratchDir dir;
  auto store = open(dir.path());
  for (const char c : {'a', 'b', 'c', 'd'}) {
    put(*store, Family::Queue, Bytes{c, '\0', '\xff'}, "");
  }
  Batch batch;
  batch.del_range(Family::Queue, "b", "d");
  batch.del_range(Family::Queue, "z", "a");  // nothing
  REQUIRE(store->commit(std::move(batch), Sync::No));
  CHECK(keys(*store->cursor(Family::Queue)) ==
        std::vector<Bytes>{{'a', '\0', '\xff'}, {'d', '\0', '\xff'}});
  CHECK(keys(*store->cursor(Family::Status)).empty());
}

TEST_CASE("a cursor keeps to its prefix and to its snapshot") {
  ScratchDir dir;
  auto store = open(dir.path());
  for (const char* key : {"a", "b1", "b2", "b3", "c", "\xff\xff", "\xff\xff!"}) {
    put(*store, Family::ByName, key, key);
  }
  const auto before = store->snapshot();
  put(*store, Family::ByName, "b4", "");
  CHECK(keys(*store->cursor(Family::ByName, "b")) == std::vector<Bytes>{"b1", "b2", "b3", "b4"});
  auto cursor = store->cursor(Family::ByName, "b", before);
  CHECK(keys(*cursor) == std::vector<Bytes>{"b1", "b2", "b3"});
  cursor->seek_last();
  REQUIRE(cursor->valid());
  CHECK(cursor->key() == "b3");
  cursor->prev();
  CHECK(cursor->key() == "b2");
  cursor->seek("a");
  CHECK(cursor->key() == "b1");
  cursor->seek("b21");
  CHECK(cursor->key() == "b3");
  CHECK(cursor->value() == "b3");
  cursor->seek("c");
  CHECK_FALSE(cursor->valid());
  CHECK(keys(*store->cursor(Family::ByName, "\xff\xff")) ==
        std::vector<Bytes>{"\xff\xff", "\xff\xff!"});
  CHECK(get(*store, Family::ByName, "b4", before) == std::nullopt);
}

TEST_CASE("a snapshot and a cursor outlive the store object") {
  ScratchDir dir;
  auto store = open(dir.path());
  put(*store, Family::Pins, "a", "1");
  auto cursor = store->cursor(Family::Pins, {}, store->snapshot());
  store.reset();
  CHECK(keys(*cursor) == std::vector<Bytes>{"a"});
}

TEST_CASE("drop_all empties one family and leaves snapshots as they are") {
  ScratchDir dir;
  auto store = open(dir.path());
  REQUIRE(store->drop_all(Family::Pins));
  for (int i = 0; i < 1000; ++i) {
    put(*store, Family::Pins, std::to_string(i), "x");
  }
  put(*store, Family::Blocks, "k", "v");
  REQUIRE(store->flush());
  const auto before = store->snapshot();
  REQUIRE(store->drop_all(Family::Pins));
  CHECK(keys(*store->cursor(Family::Pins)).empty());
  CHECK(keys(*store->cursor(Family::Pins, {}, before)).size() == 1000);
  CHECK(get(*store, Family::Blocks, "k") == "v");
  put(*store, Family::Pins, "5", "new");
  CHECK(keys(*store->cursor(Family::Pins)) == std::vector<Bytes>{"5"});
}

TEST_CASE("an empty folder stays small and opens again") {
  ScratchDir dir;
  const auto path = dir.path() / "data" / "store";
  open(path).reset();
  auto store = open(path);
  const auto stats = store->stats();
  CHECK(stats.disk_bytes > 0);
  CHECK(stats.disk_bytes < (1 << 20));
  CHECK(stats.memory_bytes < (4 << 20));
}

TEST_CASE("a checkpoint opens by itself and does not follow later writes") {
  ScratchDir dir;
  auto store = open(dir.path() / "a");
  put(*store, Family::Pins, "a", "1");
  REQUIRE(store->checkpoint(dir.path() / "b"));
  put(*store, Family::Pins, "b", "2");
  auto copy = open(dir.path() / "b");
  CHECK(keys(*copy->cursor(Family::Pins)) == std::vector<Bytes>{"a"});
  put(*copy, Family::Pins, "c", "");
  CHECK_FALSE(store->checkpoint(dir.path() / "b").has_value());
}

TEST_CASE("a read-only open works beside the owner and refuses writes") {
  ScratchDir dir;
  auto store = open(dir.path());
  put(*store, Family::Pins, "a", "1");
  auto reader = open(dir.path(), true);
  CHECK(get(*reader, Family::Pins, "a") == "1");
  Batch batch;
  batch.put(Family::Pins, "b", "");
  CHECK(reader->commit(std::move(batch), Sync::Yes).error().code() == Code::Conflict);
  Options nowhere;
  nowhere.path = dir.path() / "nowhere";
  nowhere.read_only = true;
  CHECK(Store::open(nowhere).error().code() == Code::NotFound);
}

TEST_CASE("the commit hook can refuse the n-th commit") {
  ScratchDir dir;
  Options options;
  options.path = dir.path();
  uint64_t after = 0;
  options.commit_hook = [&](CommitPoint point, uint64_t n) -> Status {
    if (point == CommitPoint::After) {
      after = n;
      return {};
    }
    return n == 2 ? Status(fail(Code::Io, "no space left on device")) : Status();
  };
  auto store = *Store::open(options);
  for (int i = 1; i <= 3; ++i) {
    Batch batch;
    batch.put(Family::Pins, std::to_string(i), "");
    CHECK(store->commit(std::move(batch), Sync::Yes).has_value() == (i != 2));
  }
  CHECK(after == 3);
  CHECK(keys(*store->cursor(Family::Pins)) == std::vector<Bytes>{"1", "3"});
}

TEST_CASE("memory stays near the budget while much is written and read") {
  ScratchDir dir;
  Options options;
  options.path = dir.path();
  options.memory_budget = 16 << 20;
  auto store = *Store::open(options);
  Bytes value(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    Batch batch;
    for (int j = 0; j < 200; ++j) {
      value[static_cast<size_t>(j)] = static_cast<char>(i);
      batch.put(static_cast<Family>(1 + j % (kFamilies - 1)), fmt::format("{:08}", i * 200 + j),
                value);
    }
    REQUIRE(store->commit(std::move(batch), Sync::No));
  }
  size_t found = 0;
  for (size_t f = 1; f < kFamilies; ++f) {
    found += keys(*store->cursor(static_cast<Family>(f))).size();
  }
  CHECK(found == 40'000);
  CHECK(store->stats().memory_bytes <= options.memory_budget);
}

TEST_CASE("content is replaced as a whole, and snapshots still see what was") {
  ScratchDir dir;
  auto store = open(dir.path() / "db");
  const auto next = open(dir.path() / "next");
  for (int i = 0; i < 1000; ++i) {
    put(*store, Family::Pins, "old" + std::to_string(i), "1");
    put(*next, Family::Pins, "new" + std::to_string(i), "2");
  }
  put(*store, Family::Pins, "new5", "1");  // in both
  put(*store, Family::Elems, "goes", "1");
  put(*store, Family::Meta, "totals", "1");
  put(*store, Family::Meta, "other", "1");
  put(*store, Family::Status, "other", "1");
  put(*next, Family::Meta, "totals", "2");
  put(*next, Family::Tombs, "comes", "2");
  const auto before = store->snapshot();
  const Replacement what = {.families = {Family::Pins, Family::Elems, Family::Tombs, Family::Heads},
                            .keys = {{Family::Meta, "totals"}}};
  REQUIRE(store->replace(what, *next).has_value());
  const auto check = [&] {
    CHECK(keys(*store->cursor(Family::Pins)) == keys(*next->cursor(Family::Pins)));
    CHECK(get(*store, Family::Pins, "new5") == "2");
    CHECK(get(*store, Family::Pins, "old5") == std::nullopt);
    CHECK(keys(*store->cursor(Family::Elems)).empty());
    CHECK(get(*store, Family::Tombs, "comes") == "2");
    CHECK(get(*store, Family::Meta, "totals") == "2");
    CHECK(get(*store, Family::Meta, "other") == "1");
    CHECK(get(*store, Family::Status, "other") == "1");
  };
  check();
  CHECK(get(*store, Family::Pins, "old5", before) == "1");
  CHECK(get(*store, Family::Meta, "totals", before) == "1");
  CHECK(keys(*store->cursor(Family::Pins, {}, before)).size() == 1001);
  put(*store, Family::Pins, "later", "3");
  CHECK(get(*store, Family::Pins, "later") == "3");
  REQUIRE(store->compact(Family::Pins).has_value());
  CHECK(get(*store, Family::Pins, "later") == "3");
}

TEST_CASE("replaced content is there after a restart, and an error changes nothing") {
  ScratchDir dir;
  const auto next = open(dir.path() / "next");
  put(*next, Family::Pins, "new", "2");
  const Replacement what = {.families = {Family::Pins}, .keys = {{Family::Meta, "totals"}}};
  auto store = open(dir.path() / "db");
  put(*store, Family::Pins, "old", "1");
  put(*store, Family::Meta, "totals", "1");
  CHECK(store->replace(what, *next).error().code() == Code::NotFound);
  CHECK(get(*store, Family::Pins, "old") == "1");
  CHECK(get(*store, Family::Pins, "new") == std::nullopt);
  put(*next, Family::Meta, "totals", "2");
  for (int round = 0; round < 2; ++round) {
    REQUIRE(store->replace(what, *next).has_value());
    put(*store, Family::Pins, "later", "3");
    store.reset();
    store = open(dir.path() / "db");
    CHECK(keys(*store->cursor(Family::Pins)) == std::vector<Bytes>{"later", "new"});
    CHECK(get(*store, Family::Meta, "totals") == "2");
  }
}

}  // namespace
}  // namespace ica::store
