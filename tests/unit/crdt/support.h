#pragma once

#include <doctest/doctest.h>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "agent/crdt/records.h"
#include "agent/crdt/replica.h"
#include "common/codec/multibase.h"
#include "tests/unit/scratch_dir.h"

namespace ica::crdt::test {

using ica::test::ScratchDir;

inline nlohmann::json vectors(const std::string& name) {
  std::ifstream in(std::string(ICA_TEST_DATA) + "/" + name);
  REQUIRE(in.good());
  return nlohmann::json::parse(in);
}

inline Bytes unhex(const std::string& text) {
  auto bytes = base16_decode(text);
  REQUIRE(bytes.has_value());
  return *bytes;
}

inline std::unique_ptr<store::Store> open_store(const std::filesystem::path& path) {
  store::Options options;
  options.path = path;
  options.memory_budget = 8 << 20;
  auto store = store::Store::open(options);
  REQUIRE(store.has_value());
  return *std::move(store);
}

// A store and the replica on it.
struct Peer {
  explicit Peer(const std::filesystem::path& path_) : path(path_) { start(); }
  void start() {
    store = open_store(path);
    auto opened = Replica::open(*store);
    REQUIRE(opened.has_value());
    replica = *std::move(opened);
  }
  void restart() {
    replica.reset();
    store.reset();
    start();
  }

  std::filesystem::path path;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Replica> replica;
};

inline Cid test_cid(uint64_t n) {
  return block_cid(block_digest(std::to_string(n)));
}

inline api::Pin test_pin(uint64_t n, const std::string& name = "") {
  api::Pin pin;
  pin.cid = test_cid(n);
  pin.options.name = name;
  pin.options.replication_factor_min = -1;
  pin.options.replication_factor_max = -1;
  pin.timestamp = Time::from_unix(1'700'000'000);
  return pin;
}

inline LocalOp put_op(const api::Pin& pin) {
  return {pack_key(pin.cid), api::encode_pin(pin)};
}
inline LocalOp remove_op(const Cid& cid) {
  return {pack_key(cid), std::nullopt};
}

// The shared map as it is on disk, with the priorities, in texts.
struct Contents {
  std::map<std::string, std::pair<Bytes, uint64_t>> values;
  std::set<std::pair<std::string, std::string>> live;   // key, id
  std::set<std::pair<std::string, std::string>> tombs;  // of blocks that were not merged
  friend bool operator==(const Contents&, const Contents&) = default;
};

inline std::pair<std::string, std::string> split_element(BytesView record) {
  const size_t length = static_cast<uint8_t>(record[1]) << 8 | static_cast<uint8_t>(record[2]);
  return {key_text(record.substr(3, length)), id_text(record.substr(3 + length))};
}

inline Contents contents(const store::Store& store) {
  using store::Family;
  Contents out;
  auto elems = store.cursor(Family::Elems);
  for (elems->seek_first(); elems->valid(); elems->next()) {
    if (elems->key()[0] == 'v') {
      const auto current = *decode_current(elems->value());
      out.values[key_text(elems->key().substr(1))] = {current.value, current.priority};
    } else {
      out.live.insert(split_element(elems->key()));
    }
  }
  auto tombs = store.cursor(Family::Tombs);
  for (tombs->seek_first(); tombs->valid(); tombs->next()) {
    out.tombs.insert(split_element(tombs->key()));
  }
  auto pins = store.cursor(Family::Pins);
  for (pins->seek_first(); pins->valid(); pins->next()) {
    const auto current = *decode_current(pins->value());
    out.values[api::state_key(*Cid::from_bytes(pins->key()))] = {current.value, current.priority};
  }
  REQUIRE(elems->status().has_value());
  REQUIRE(tombs->status().has_value());
  REQUIRE(pins->status().has_value());
  return out;
}

// Recomputes from the records what the replica keeps incrementally.
inline void check_totals(const Peer& peer) {
  uint64_t digest = 0;
  for (const auto& [key, value] : contents(*peer.store).values) {
    digest += digest_term(pack_key(key), value.first);
  }
  const auto info = peer.replica->info();
  CHECK(info.digest == digest);
  uint64_t pins = 0;
  auto cursor = peer.store->cursor(store::Family::Pins);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    ++pins;
  }
  CHECK(info.pins == pins);
  uint64_t blocks = 0;
  cursor = peer.store->cursor(store::Family::Blocks);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    ++blocks;
  }
  CHECK(info.blocks == blocks);
  CHECK(info.work == peer.replica->work({}, 1'000'000)->size());
  CHECK(info.heads == peer.replica->heads().size());
}

}  // namespace ica::crdt::test
