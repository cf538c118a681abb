#include "agent/crdt/dag_state.h"

#include <algorithm>

namespace ica::crdt {

using store::Family;

namespace {

Bytes tagged(char tag, BytesView rest) {
  Bytes out(1, tag);
  out += rest;
  return out;
}

Bytes group_key(uint64_t id) {
  Bytes out = "g";
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(id >> shift));
  }
  return out;
}

// Reads uvarints one after the other and remembers whether one was missing.
class Reader {
 public:
  explicit Reader(BytesView in) : in_(in) {}
  uint64_t next() {
    const auto value = take_uvarint(in_);
    ok_ = ok_ && value.has_value();
    return value.value_or(0);
  }
  bool ok() const { return ok_; }

 private:
  BytesView in_;
  bool ok_ = true;
};

Bytes uvarints(std::initializer_list<uint64_t> values) {
  Bytes out;
  for (const uint64_t value : values) {
    append_uvarint(out, value);
  }
  return out;
}

Bytes encode_tip(const Tip& tip) {
  Bytes out = uvarints({tip.height, tip.group, tip.covered_by.size()});
  for (const uint64_t group : tip.covered_by) {
    append_uvarint(out, group);
  }
  return out;
}

Result<Tip> decode_tip(BytesView record) {
  Reader in(record);
  Tip tip;
  tip.height = in.next();
  tip.group = in.next();
  const uint64_t covered = in.next();
  for (uint64_t i = 0; i < covered && in.ok(); ++i) {
    tip.covered_by.push_back(in.next());
  }
  if (!in.ok()) {
    return fail(Code::Corrupt, "a head record of the pinset is damaged");
  }
  return tip;
}

}  // namespace

Bytes work_key(BytesView digest) {
  return tagged('w', digest);
}
Bytes processed_key(BytesView digest) {
  return tagged('p', digest);
}
Bytes incomplete_key(BytesView digest) {
  return tagged('i', digest);
}

Bytes encode_work(const WorkItem& item) {
  return uvarints({item.group, item.linked ? 1U : 0U});
}

Result<WorkItem> decode_work(BytesView record) {
  Reader in(record);
  WorkItem item;
  item.group = in.next();
  item.linked = in.next() != 0;
  if (!in.ok()) {
    return fail(Code::Corrupt, "a work item of the pinset is damaged");
  }
  return item;
}

uint64_t DagState::find(uint64_t id) const {
  while (true) {
    const auto it = groups.find(id);
    if (it == groups.end()) {
      return 0;
    }
    if (it->second.into == 0) {
      return id;
    }
    id = it->second.into;
  }
}

uint64_t DagState::join(uint64_t a, uint64_t b) {
  a = find(a);
  b = find(b);
  if (a == 0 || b == 0 || a == b) {
    return std::max(a, b);
  }
  const uint64_t keep = std::min(a, b);
  Group& gone = groups[std::max(a, b)];
  groups[keep].missing += gone.missing;
  gone = {0, keep};
  return keep;
}

void DagState::complete(uint64_t id) {
  const auto covered = [&](uint64_t group) { return find(group) == id; };
  for (auto it = tips.begin(); it != tips.end();) {
    Tip& tip = it->second;
    if (tip.group == 0 && std::any_of(tip.covered_by.begin(), tip.covered_by.end(), covered)) {
      it = tips.erase(it);
      continue;
    }
    if (tip.group != 0 && covered(tip.group)) {
      tip.group = 0;
    }
    ++it;
  }
  std::vector<uint64_t> done;
  for (const auto& [group, unused] : groups) {
    if (find(group) == id) {
      done.push_back(group);
    }
  }
  for (const uint64_t group : done) {
    groups.erase(group);
  }
  for (auto& [digest, tip] : tips) {
    std::erase_if(tip.covered_by, [&](uint64_t group) { return find(group) == 0; });
  }
}

std::vector<Bytes> DagState::heads() const {
  std::vector<Bytes> out;
  for (const auto& [digest, tip] : tips) {
    if (tip.group == 0) {
      out.push_back(digest);
    }
  }
  return out;
}

Result<DagState> DagState::load(const store::Store& store) {
  DagState state;
  TRY(const auto record, store.get(Family::Meta, kTotalsKey));
  if (!record) {
    return state;
  }
  Reader in(*record);
  for (uint64_t* field : {&state.totals.pins, &state.totals.odd, &state.totals.digest,
                          &state.height, &state.blocks, &state.work, &state.next_group}) {
    *field = in.next();
  }
  if (!in.ok()) {
    return fail(Code::Corrupt, "the totals of the pinset are damaged");
  }
  auto tips = store.cursor(Family::Heads);
  for (tips->seek_first(); tips->valid(); tips->next()) {
    TRY(auto tip, decode_tip(tips->value()));
    state.tips.emplace(tips->key(), std::move(tip));
  }
  TRY_VOID(tips->status());
  auto groups = store.cursor(Family::Work, "g");
  for (groups->seek_first(); groups->valid(); groups->next()) {
    uint64_t id = 0;
    for (const char c : groups->key().substr(1)) {
      id = id << 8 | static_cast<uint8_t>(c);
    }
    Reader group(groups->value());
    const uint64_t missing = group.next();
    const uint64_t into = group.next();
    if (!group.ok()) {
      return fail(Code::Corrupt, "a work group of the pinset is damaged");
    }
    state.groups[id] = {missing, into};
  }
  TRY_VOID(groups->status());
  return state;
}

void DagState::save(const DagState& before, store::Batch& batch) const {
  batch.put(Family::Meta, kTotalsKey,
            uvarints({totals.pins, totals.odd, totals.digest, height, blocks, work, next_group}));
  for (const auto& [digest, tip] : before.tips) {
    if (!tips.contains(digest)) {
      batch.del(Family::Heads, digest);
    }
  }
  for (const auto& [digest, tip] : tips) {
    const auto it = before.tips.find(digest);
    if (it == before.tips.end() || it->second != tip) {
      batch.put(Family::Heads, digest, encode_tip(tip));
    }
  }
  for (const auto& [id, group] : before.groups) {
    if (!groups.contains(id)) {
      batch.del(Family::Work, group_key(id));
    }
  }
  for (const auto& [id, group] : groups) {
    const auto it = before.groups.find(id);
    if (it == before.groups.end() || it->second != group) {
      batch.put(Family::Work, group_key(id), uvarints({group.missing, group.into}));
    }
  }
  if (groups.empty() && !before.groups.empty()) {
    // Marks of nodes that were incomplete; all of them name groups that are gone.
    batch.del_range(Family::Work, "i", "j");
  }
}

}  // namespace ica::crdt
