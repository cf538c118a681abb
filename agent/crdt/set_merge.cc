#include "agent/crdt/set_merge.h"

#include <set>

#include "agent/crdt/dag_state.h"
#include "common/base/log.h"

namespace ica::crdt {

using store::Family;

namespace {

constexpr size_t kParsedBlocks = 4;

std::optional<api::Pin> readable_pin(BytesView key, const std::optional<Current>& current) {
  if (!current) {
    return std::nullopt;
  }
  const Cid cid = cid_of_key(key);
  if (!cid.defined()) {
    return std::nullopt;
  }
  auto pin = api::decode_pin(cid, current->value);
  if (!pin) {
    static LogLimiter limiter;
    if (limiter.allow("pin")) {
      log_warn("crdt", "the shared state holds a pin of {} that cannot be read ({}); left out", cid,
               pin.error().message());
    }
    return std::nullopt;
  }
  return *std::move(pin);
}

}  // namespace

Status SetMerge::merge(BytesView digest, const Delta& delta) {
  TRY_VOID(merge_tombstones(delta));
  return merge_elements(digest, delta);
}

Status SetMerge::merge_tombstones(const Delta& delta) {
  std::map<Bytes, std::vector<Bytes>> by_key;
  for (const auto& tomb : delta.tombstones) {
    by_key[pack_key(tomb.key)].push_back(pack_id(tomb.id));
  }
  for (const auto& [key, ids] : by_key) {
    TRY_VOID(bury(key, ids));
  }
  return {};
}

Status SetMerge::bury(const Bytes& key, const std::vector<Bytes>& ids) {
  bool removed = false;
  uint64_t highest_removed = 0;
  for (const auto& id : ids) {
    const Bytes element = element_key(key, id);
    TRY(const auto priority, overlay_.get(Family::Elems, element));
    if (priority) {
      BytesView in = *priority;
      highest_removed = std::max(highest_removed, take_uvarint(in).value_or(0));
      removed = true;
      overlay_.del(Family::Elems, element);
      continue;
    }
    if (const BytesView digest = digest_of_id(id); !digest.empty()) {
      TRY(const bool merged, overlay_.has(Family::Work, processed_key(digest)));
      if (merged) {
        continue;
      }
    }
    overlay_.put(Family::Tombs, element, {});
  }
  if (!removed) {
    return {};
  }
  TRY(const auto now, current(key));
  if (!now || highest_removed < now->priority) {
    return {};  // the addition that gave the value is still there
  }
  TRY(const auto live, overlay_.scan(Family::Elems, element_prefix(key)));
  TRY(auto best, best_of(key, live));
  return set(key, std::move(best));
}

Result<std::optional<Current>> SetMerge::best_of(const Bytes& key,
                                                 const std::vector<std::pair<Bytes, Bytes>>& live) {
  std::optional<uint64_t> highest;
  for (const auto& [element, priority] : live) {
    BytesView in = priority;
    highest = std::max(highest.value_or(0), take_uvarint(in).value_or(0));
  }
  if (!highest) {
    return std::optional<Current>();
  }
  Current best;
  best.priority = *highest;
  const std::string text = key_text(key);
  const size_t prefix = element_prefix(key).size();
  for (const auto& [element, priority] : live) {
    BytesView in = priority;
    if (take_uvarint(in).value_or(0) != *highest) {
      continue;
    }
    TRY(const Delta* delta, delta_of(digest_of_id(id_of_element(element, prefix))));
    for (const auto& e : delta->elements) {
      if (e.value > BytesView(best.value) && (e.key == text || pack_key(e.key) == key)) {
        best.value = e.value;
      }
    }
  }
  // The reference cannot tell an empty value from none here, and removes the key.
  return best.value.empty() ? std::optional<Current>() : std::optional<Current>(std::move(best));
}

Result<const Delta*> SetMerge::delta_of(BytesView digest) {
  for (const auto& block : parsed_) {
    if (block->digest == digest) {
      return &block->parsed;
    }
  }
  TRY(const auto raw, overlay_.get(Family::Blocks, digest));
  if (!raw) {
    return fail(Code::Corrupt, "the block {} of the pinset's history is missing",
                digest.size() == kDigestBytes ? block_cid(digest).text() : "?");
  }
  TRY(auto node, decode_node(*raw));
  auto block = std::make_unique<ParsedBlock>();
  block->digest = digest;
  block->delta = std::move(node.delta);
  TRY(block->parsed, decode_delta(block->delta));
  if (parsed_.size() >= kParsedBlocks) {
    parsed_.erase(parsed_.begin());
  }
  parsed_.push_back(std::move(block));
  return &parsed_.back()->parsed;
}

Status SetMerge::merge_elements(BytesView digest, const Delta& delta) {
  const Bytes id = pack_id_of_digest(digest);
  Bytes priority;
  append_uvarint(priority, delta.priority);
  std::set<Bytes> buried;
  // Compared with the state before this delta, also when a key comes twice: so does the reference,
  // whose writes are collected in a batch that it does not read.
  std::map<Bytes, Current> winners;
  for (const auto& element : delta.elements) {
    Bytes key = pack_key(element.key);
    const Bytes record = element_key(key, id);
    TRY(const bool tomb, overlay_.has(Family::Tombs, record));
    if (tomb) {
      overlay_.del(Family::Tombs, record);
      buried.insert(key);
    }
    if (buried.contains(key)) {
      continue;
    }
    overlay_.put(Family::Elems, record, priority);
    TRY(const auto now, current(key));
    const uint64_t present = now ? now->priority : 0;
    if (delta.priority < present ||
        (delta.priority == present &&
         element.value <= (now ? BytesView(now->value) : BytesView()))) {
      continue;
    }
    winners[std::move(key)] = {Bytes(element.value), delta.priority};
  }
  for (auto& [key, value] : winners) {
    TRY_VOID(set(key, std::move(value)));
  }
  return {};
}

Result<std::vector<Bytes>> SetMerge::live_ids(BytesView packed_key) {
  const Bytes prefix = element_prefix(packed_key);
  TRY(const auto live, overlay_.scan(Family::Elems, prefix));
  std::vector<Bytes> ids;
  ids.reserve(live.size());
  for (const auto& [element, priority] : live) {
    ids.emplace_back(id_of_element(element, prefix.size()));
  }
  return ids;
}

Result<SetMerge::Change*> SetMerge::change(BytesView packed_key) {
  if (const auto it = changes_.find(packed_key); it != changes_.end()) {
    return &it->second;
  }
  Change change;
  if (packed_key.front() == 1) {
    TRY(const auto record, store_.get(Family::Pins, packed_key.substr(1)));
    if (record) {
      TRY(change.before, decode_current(*record));
    }
  }
  if (!change.before && totals_.odd > 0) {
    TRY(const auto record, store_.get(Family::Elems, odd_value_key(packed_key)));
    if (record) {
      TRY(change.before, decode_current(*record));
      change.before_odd = true;
    }
  }
  change.after = change.before;
  return &changes_.emplace(packed_key, std::move(change)).first->second;
}

Result<std::optional<Current>> SetMerge::current(BytesView packed_key) {
  TRY(const Change* known, change(packed_key));
  return known->after;
}

Status SetMerge::set(BytesView packed_key, std::optional<Current> value) {
  TRY(Change * known, change(packed_key));
  known->after = std::move(value);
  return {};
}

void SetMerge::index(const api::Pin& pin, bool add) {
  store::Batch& batch = overlay_.batch();
  const auto write = [&](Family family, const Bytes& key, BytesView value) {
    add ? batch.put(family, key, value) : batch.del(family, key);
  };
  for (const auto& peer : pin.allocations.items) {
    write(Family::ByPeer, by_peer_prefix(peer) + pin.cid.bytes(), {});
  }
  if (crowded(pin)) {
    write(Family::ByPeer, crowded_prefix() + pin.cid.bytes(), {});
  }
  if (!pin.options.expire_at.is_zero()) {
    write(Family::ByExpiry, by_expiry_key(pin.options.expire_at, pin.cid), {});
  }
  if (!pin.options.name.empty()) {
    const Bytes prefix = by_name_prefix(pin.options.name);
    Bytes length;
    append_uvarint(length, prefix.size());
    write(Family::ByName, prefix + pin.cid.bytes(), length);
  }
}

Status SetMerge::finish_one(const Bytes& key, const Change& change,
                            const std::vector<StateObserver*>& observers) {
  if (change.before == change.after) {
    return {};
  }
  const auto before = change.before_odd ? std::nullopt : readable_pin(key, change.before);
  auto after = readable_pin(key, change.after);
  const bool after_odd = change.after && !after;
  if (change.before) {
    totals_.digest -= digest_term(key, change.before->value);
    (change.before_odd ? totals_.odd : totals_.pins) -= 1;
  }
  if (change.after) {
    totals_.digest += digest_term(key, change.after->value);
    (after_odd ? totals_.odd : totals_.pins) += 1;
  }

  store::Batch& batch = overlay_.batch();
  if (change.before && (!change.after || change.before_odd != after_odd)) {
    change.before_odd ? batch.del(Family::Elems, odd_value_key(key))
                      : batch.del(Family::Pins, BytesView(key).substr(1));
  }
  if (change.after) {
    const Bytes record = encode_current(*change.after);
    after_odd ? batch.put(Family::Elems, odd_value_key(key), record)
              : batch.put(Family::Pins, BytesView(key).substr(1), record);
  }
  if ((!before && !after) || (before && after && change.before->value == change.after->value)) {
    return {};
  }
  // Removed first: what both have ends up present.
  if (before) {
    index(*before, false);
  }
  if (after) {
    index(*after, true);
  }
  PinChange told{before ? before->cid : after->cid, before, std::move(after)};
  for (auto* observer : observers) {
    observer->on_change(told, batch);
  }
  return {};
}

Status SetMerge::finish(const std::vector<StateObserver*>& observers) {
  for (const auto& [key, change] : changes_) {
    TRY_VOID(finish_one(key, change, observers));
  }
  changes_.clear();
  return {};
}

}  // namespace ica::crdt
