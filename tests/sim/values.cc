#include "tests/sim/values.h"

#include <set>

#include "agent/crdt/records.h"
#include "tests/sim/check.h"

namespace ica::sim {

using store::Family;

Values values_of(const store::Store& store) {
  Values out;
  for (const Family family : {Family::Pins, Family::Elems}) {
    auto cursor = store.cursor(family);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      std::string key;
      if (family == Family::Pins) {
        key = api::state_key(must(Cid::from_bytes(cursor->key()), "a key"));
      } else if (cursor->key()[0] == 'v') {
        key = crdt::key_text(cursor->key().substr(1));
      } else {
        continue;
      }
      auto current = must(crdt::decode_current(cursor->value()), "a value");
      out[key] = {std::move(current.value), current.priority};
    }
    must(cursor->status(), "reading values");
  }
  return out;
}

Values values_by_rule(const store::Store& store) {
  using Addition = std::pair<std::string, std::string>;  // key, id
  std::map<Addition, std::pair<uint64_t, Bytes>> additions;
  std::set<Addition> tombs;
  auto cursor = store.cursor(Family::Blocks);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    const auto node = must(crdt::decode_node(cursor->value()), "a node");
    const auto delta = must(crdt::decode_delta(node.delta), "a delta");
    const std::string id = crdt::id_text(crdt::pack_id_of_digest(cursor->key()));
    for (const auto& e : delta.elements) {
      additions[{std::string(e.key), id}] = {delta.priority, Bytes(e.value)};
    }
    for (const auto& e : delta.tombstones) {
      tombs.emplace(e.key, e.id);
    }
  }
  Values out;
  for (const auto& [addition, value] : additions) {
    if (tombs.contains(addition)) {
      continue;
    }
    auto& best = out[addition.first];
    if (value > std::pair(best.second, best.first)) {
      best = {value.second, value.first};
    }
  }
  return out;
}

std::string difference(const Values& a, const Values& b) {
  if (a == b) {
    return "";
  }
  std::string text;
  for (const auto* values : {&a, &b}) {
    text += values == &a ? "\n  one:" : "\n  other:";
    for (const auto& [key, value] : *values) {
      text += fmt::format("\n    {} = {:?} at {}", key, value.first, value.second);
    }
  }
  return text;
}

void check_totals(const store::Store& store, const crdt::PinsetInfo& info) {
  const auto count = [&](Family family, BytesView prefix) {
    uint64_t n = 0;
    auto cursor = store.cursor(family, prefix);
    for (cursor->seek_first(); cursor->valid(); cursor->next()) {
      ++n;
    }
    return n;
  };
  uint64_t digest = 0;
  for (const auto& [key, value] : values_of(store)) {
    digest += crdt::digest_term(crdt::pack_key(key), value.first);
  }
  require(info.digest == digest, "the digest is not that of the values");
  require(info.pins == count(Family::Pins, {}), "the number of pins is wrong");
  require(info.blocks == count(Family::Blocks, {}), "the number of blocks is wrong");
  require(info.work == count(Family::Work, "w"), "the amount of work is wrong");
}

}  // namespace ica::sim
