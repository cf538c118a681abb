// The store of the simulations behaves as the one on disk, and forgets what was not synced.
#include "tests/sim/memory_store.h"

#include <doctest/doctest.h>
#include <random>

#include "tests/unit/scratch_dir.h"

namespace ica::store {
namespace {

using sim::MemoryStore;

using Records = std::vector<std::pair<Bytes, Bytes>>;

Records forward(Cursor& cursor) {
  Records out;
  for (cursor.seek_first(); cursor.valid(); cursor.next()) {
    out.emplace_back(cursor.key(), cursor.value());
  }
  return out;
}

Records backward(Cursor& cursor) {
  Records out;
  for (cursor.seek_last(); cursor.valid(); cursor.prev()) {
    out.emplace(out.begin(), cursor.key(), cursor.value());
  }
  return out;
}

TEST_CASE("in memory and on disk are alike, with snapshots and cursors of earlier moments") {
  test::ScratchDir dir;
  Options options;
  options.path = dir.path();
  auto disk = *Store::open(options);
  MemoryStore memory;
  std::mt19937_64 random(7);
  const auto key = [&] { return Bytes(1 + random() % 2, static_cast<char>('a' + random() % 5)); };
  const Family families[] = {Family::Pins, Family::Work, Family::Tombs};
  const auto family = [&] { return families[random() % 3]; };
  struct Moment {
    SnapshotPtr disk;
    SnapshotPtr memory;
    std::unique_ptr<Cursor> on_disk;
    std::unique_ptr<Cursor> in_memory;
  };
  std::vector<Moment> moments;
  for (int round = 0; round < 400; ++round) {
    const uint64_t seed = random();
    for (Store* store : {disk.get(), static_cast<Store*>(&memory)}) {
      random.seed(seed);
      Batch batch;
      for (size_t i = 0, n = 1 + random() % 6; i < n; ++i) {
        const auto where = family();
        switch (random() % 6) {
          case 0:
            batch.del(where, key());
            break;
          case 1: {
            const auto from = key();
            batch.del_range(where, from, key());
            break;
          }
          default: {
            const auto k = key();
            batch.put(where, k, std::to_string(random() % 1000));
          }
        }
      }
      REQUIRE(store->commit(std::move(batch), random() % 2 == 0 ? Sync::Yes : Sync::No));
    }
    if (random() % 4 == 0) {
      const auto where = family();
      const Bytes prefix = random() % 2 == 0 ? Bytes() : key();
      moments.push_back({disk->snapshot(), memory.snapshot(), disk->cursor(where, prefix),
                         memory.cursor(where, prefix)});
    }
    if (moments.size() > 5) {
      moments.erase(moments.begin() + static_cast<ptrdiff_t>(random() % moments.size()));
    }
    for (const auto& m : moments) {
      CHECK(forward(*m.on_disk) == forward(*m.in_memory));
      CHECK(backward(*m.on_disk) == backward(*m.in_memory));
      const auto k = key();
      const auto where = family();
      CHECK(*disk->get(where, k, m.disk) == *memory.get(where, k, m.memory));
      m.on_disk->seek(k);
      m.in_memory->seek(k);
      REQUIRE(m.on_disk->valid() == m.in_memory->valid());
      if (m.on_disk->valid()) {
        CHECK(m.on_disk->key() == m.in_memory->key());
      }
    }
    for (const auto where : families) {
      CHECK(forward(*disk->cursor(where)) == forward(*memory.cursor(where)));
    }
  }
}

TEST_CASE("a loss of power takes a part of what was not synced, from the end") {
  MemoryStore store;
  const auto put = [&](const std::string& value, Sync sync) {
    Batch batch;
    batch.put(Family::Pins, "k", value);
    batch.put(Family::Pins, value, "");
    REQUIRE(store.commit(std::move(batch), sync));
  };
  put("1", Sync::Yes);
  put("2", Sync::No);
  put("3", Sync::No);
  put("4", Sync::No);
  CHECK(store.unsynced() == 3);
  store.lose_unsynced(1);
  CHECK(*store.get(Family::Pins, "k") == "2");
  CHECK_FALSE(store.get(Family::Pins, "3")->has_value());
  put("5", Sync::No);
  put("6", Sync::Yes);
  CHECK(store.unsynced() == 0);
  store.lose_unsynced(0);
  CHECK(*store.get(Family::Pins, "k") == "6");
}

}  // namespace
}  // namespace ica::store
