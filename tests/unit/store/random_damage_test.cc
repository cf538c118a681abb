// Whatever happens to a file of the database: nothing that was acknowledged is missing or different
// without an error. SIM_SEED=<n> repeats one seed.
#include <doctest/doctest.h>
#include <fstream>
#include <map>
#include <random>

#include "agent/store/store.h"
#include "agent/store/synced_mark.h"
#include "common/base/log.h"
#include "tests/unit/scratch_dir.h"

namespace ica::store {
namespace {

namespace fs = std::filesystem;
using Records = std::map<std::pair<Family, Bytes>, Bytes>;

constexpr int kSeeds = 400;
constexpr std::array kFilled = {Family::Pins, Family::Blocks, Family::Status};

Result<std::unique_ptr<Store>> open(const fs::path& path) {
  Options options;
  options.path = path;
  return Store::open(options);
}

// Tables of several ages, and a log with changes and deletions behind them.
Records fill(const fs::path& path) {
  std::mt19937_64 random(1);
  Records records;
  for (int life = 0; life < 3; ++life) {
    auto store = *open(path);
    for (int i = 0; i < 200; ++i) {
      Batch batch;
      for (const Family family : kFilled) {
        const Bytes key = fmt::format("key {:03}", random() % 300);
        if (random() % 5 == 0) {
          batch.del(family, key);
          records.erase({family, key});
        } else {
          const Bytes value(random() % 200, static_cast<char>('a' + i % 26));
          batch.put(family, key, value);
          records[{family, key}] = value;
        }
      }
      REQUIRE(store->commit(std::move(batch), Sync::Yes));
    }
    if (life < 2) {
      REQUIRE(store->flush());
    }
  }
  return records;
}

std::string damage(const fs::path& file, std::mt19937_64& random) {
  const auto size = fs::file_size(file);
  const auto at = static_cast<std::streamoff>(size == 0 ? 0 : random() % size);
  const auto write = [&](const std::string& bytes) {
    std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(at);
    f.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  };
  switch (random() % 5) {
    case 0:
      fs::remove(file);
      return "removed";
    case 1:
      fs::resize_file(file, static_cast<uintmax_t>(at));
      return fmt::format("cut at {} of {}", at, size);
    case 2:
      write(std::string(512, '\0'));
      return fmt::format("zeros at {} of {}", at, size);
    case 3: {
      std::string noise(1 + random() % 64, '\0');
      for (char& c : noise) {
        c = static_cast<char>(random());
      }
      write(noise);
      return fmt::format("noise at {} of {}", at, size);
    }
    default: {
      std::ifstream in(file, std::ios::binary);
      in.seekg(at);
      const int byte = in.get();
      write(std::string(1, static_cast<char>(byte ^ (1 << random() % 8))));
      return fmt::format("a bit at {} of {}", at, size);
    }
  }
}

// What is wrong with the folder, in one line; empty when everything is there.
std::string judge(const fs::path& folder, const Records& records) {
  auto store = open(folder);
  if (!store) {
    const Error& error = store.error();
    const bool helps = error.message().find("restore") != std::string::npos;
    return helps ? "refused" : "refused without help: " + error.message();
  }
  size_t found = 0;
  for (const Family family : kFilled) {
    auto cursor = (*store)->cursor(family);
    for (cursor->seek_first(); cursor->valid(); cursor->next(), ++found) {
      const auto record = records.find({family, Bytes(cursor->key())});
      if (record == records.end() || record->second != cursor->value()) {
        return fmt::format("a wrong record: {} {}", to_string(family), cursor->key());
      }
    }
    if (!cursor->status()) {
      return "told when read";
    }
  }
  for (const auto& [key, value] : records) {
    const auto got = (*store)->get(key.first, key.second);
    if (!got) {
      return "told when read";
    }
    if (*got != value) {
      return fmt::format("a wrong value: {} {}", to_string(key.first), key.second);
    }
  }
  return found == records.size() ? "whole" : fmt::format("{} of {} records", found, records.size());
}

TEST_CASE("damage at any place of any file is told, or does no harm") {
  REQUIRE(log_set_levels("error,store:critical"));  // RocksDB tells of each
  test::ScratchDir origin;
  const Records records = fill(origin.path());
  const uint64_t synced = SyncedMark::read(origin.path());
  REQUIRE(synced > 0);
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(origin.path())) {
    if (entry.path().filename() != "LOCK") {
      names.push_back(entry.path().filename());
    }
  }
  std::sort(names.begin(), names.end());

  const char* chosen = std::getenv("SIM_SEED");
  const int first = chosen != nullptr ? std::atoi(chosen) : 0;
  std::map<std::string, int> verdicts;
  for (int seed = first; seed < (chosen != nullptr ? first + 1 : kSeeds); ++seed) {
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    test::ScratchDir folder;
    fs::copy(origin.path(), folder.path(), fs::copy_options::recursive);
    SyncedMark().open(folder.path(), synced);
    const fs::path& name = names[random() % names.size()];
    const std::string what = damage(folder.path() / name, random);
    const std::string verdict = judge(folder.path(), records);
    CAPTURE(seed);
    CAPTURE(name);
    CAPTURE(what);
    const bool good = verdict == "whole" || verdict == "refused" || verdict == "told when read";
    CHECK_MESSAGE(good, verdict);
    ++verdicts[verdict];
  }
  REQUIRE(log_set_levels("info"));
  if (chosen == nullptr) {
    // The test would be worth nothing if one of them did not come up.
    CHECK(verdicts["whole"] > 0);
    CHECK(verdicts["refused"] > 0);
    CHECK(verdicts["told when read"] > 0);
  }
}

}  // namespace
}  // namespace ica::store
