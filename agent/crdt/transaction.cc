#include "agent/crdt/transaction.h"

#include <deque>
#include <limits>

#include "common/base/log.h"

namespace ica::crdt {

using store::Family;

Status Transaction::want(const Bytes& digest, const WorkItem& item) {
  overlay_.put(Family::Work, work_key(digest), encode_work(item));
  state_.groups[item.group].missing += 1;
  state_.work += 1;
  wanted_.push_back(digest);
  changed_ = true;
  return {};
}

Result<bool> Transaction::announce(const Bytes& digest) {
  TRY(const bool merged, overlay_.has(Family::Work, processed_key(digest)));
  if (merged) {
    return false;
  }
  TRY(const bool wanted, overlay_.has(Family::Work, work_key(digest)));
  if (wanted) {
    return false;
  }
  if (state_.groups.size() >= kMaxGroups) {
    return fail(Code::Busy, "{} announced heads are being followed already", kMaxGroups);
  }
  WorkItem item;
  item.group = state_.next_group++;
  TRY_VOID(want(digest, item));
  return true;
}

Status Transaction::store_block(const Bytes& digest, BytesView block, const Delta& delta) {
  overlay_.put(Family::Blocks, digest, block);
  TRY_VOID(set_.merge(digest, delta));
  Bytes height;
  append_uvarint(height, delta.priority);
  overlay_.put(Family::Work, processed_key(digest), height);
  state_.blocks += 1;
  state_.height = std::max(state_.height, delta.priority);
  changed_ = true;
  return {};
}

// What a link of a node in `group` means. The group may become part of another one.
Result<uint64_t> Transaction::follow(const Bytes& link, uint64_t group,
                                     std::vector<Bytes>& covers) {
  TRY(const bool merged, overlay_.has(Family::Work, processed_key(link)));
  if (!merged) {
    TRY(const auto record, overlay_.get(Family::Work, work_key(link)));
    if (!record) {
      TRY_VOID(want(link, {group, true}));
      return group;
    }
    TRY(auto item, decode_work(*record));
    if (!item.linked) {
      item.linked = true;
      overlay_.put(Family::Work, work_key(link), encode_work(item));
    }
    return state_.join(group, item.group);
  }
  if (const auto tip = state_.tips.find(link); tip != state_.tips.end()) {
    if (tip->second.group == 0) {
      covers.push_back(link);
    } else {
      group = state_.join(group, tip->second.group);
      state_.tips.erase(tip);
    }
    return group;
  }
  if (state_.groups.size() > 1) {
    TRY(const auto record, overlay_.get(Family::Work, incomplete_key(link)));
    if (record) {
      BytesView in = *record;
      if (const uint64_t other = state_.find(take_uvarint(in).value_or(0)); other != 0) {
        group = state_.join(group, other);
      }
    }
  }
  return group;
}

void Transaction::link_complete(const std::vector<Bytes>& covers) {
  for (const auto& head : covers) {
    state_.tips.erase(head);
  }
}

Result<bool> Transaction::merge(const Bytes& digest, BytesView block) {
  TRY(const auto record, overlay_.get(Family::Work, work_key(digest)));
  if (!record) {
    return false;
  }
  TRY(auto item, decode_work(*record));
  uint64_t group = state_.find(item.group);
  ICA_ASSERT(group != 0);

  Node node;
  Delta delta;
  auto parsed = decode_node(block);
  if (parsed) {
    node = *std::move(parsed);
    auto changes = decode_delta(node.delta);
    parsed = changes ? Result<Node>(Node()) : Result<Node>(fail(changes.error()));
    delta = changes ? *std::move(changes) : Delta();
  }
  if (!parsed) {
    // The bytes are what the name says, so no other peer has better ones.
    static LogLimiter limiter;
    if (limiter.allow("node")) {
      log_warn("crdt", "the block {} is not a DAG node of a pinset ({}); left out",
               block_cid(digest), parsed.error().message());
    }
    if (!item.linked) {
      return drop(digest);
    }
    overlay_.put(Family::Work, processed_key(digest), Bytes(1, '\0'));
    node = {};
    changed_ = true;
  } else {
    TRY_VOID(store_block(digest, block, delta));
  }

  overlay_.del(Family::Work, work_key(digest));
  state_.groups[group].missing -= 1;
  state_.work -= 1;
  settled_.push_back(digest);

  std::vector<Bytes> covers;
  for (const auto& link : node.links) {
    TRY(group, follow(link, group, covers));
  }
  const bool is_tip = !item.linked;
  if (state_.work == 0) {
    state_.synced_to = 0;
  } else if (state_.synced_to == 0 || delta.priority < state_.synced_to) {
    state_.synced_to = delta.priority;
  }
  if (state_.groups[group].missing == 0) {
    if (is_tip) {
      state_.tips[digest] = {delta.priority, 0, {}};
    }
    link_complete(covers);
    state_.complete(group);
    return true;
  }
  Bytes mark;
  append_uvarint(mark, group);
  overlay_.put(Family::Work, incomplete_key(digest), mark);
  if (is_tip) {
    state_.tips[digest] = {delta.priority, group, {}};
  }
  for (const auto& head : covers) {
    auto& by = state_.tips[head].covered_by;
    if (std::find(by.begin(), by.end(), group) == by.end()) {
      by.push_back(group);
    }
  }
  return true;
}

Result<bool> Transaction::drop(const Bytes& digest) {
  TRY(const auto record, overlay_.get(Family::Work, work_key(digest)));
  if (!record) {
    return false;
  }
  TRY(const auto item, decode_work(*record));
  const uint64_t group = state_.find(item.group);
  if (item.linked || group != item.group || state_.groups[group].missing != 1) {
    return false;
  }
  for (const auto& [tip, info] : state_.tips) {
    if (info.group != 0 && state_.find(info.group) == group) {
      return false;
    }
  }
  overlay_.del(Family::Work, work_key(digest));
  state_.groups.erase(group);
  std::erase_if(state_.groups, [&](const auto& entry) { return entry.second.into == group; });
  state_.work -= 1;
  settled_.push_back(digest);
  changed_ = true;
  return true;
}

Result<Bytes> Transaction::write_node(const Delta& delta) {
  Node node;
  node.links = state_.heads();
  if (node.links.size() > kMaxParents) {
    node.links.resize(kMaxParents);
  }
  node.delta = encode_delta(delta);
  const Bytes block = encode_node(node);
  if (block.size() > kMaxBlockBytes) {
    return fail(Code::TooLarge, "a change of {} bytes is more than one block holds", block.size());
  }
  Bytes digest = block_digest(block);
  TRY(const bool wanted, overlay_.has(Family::Work, work_key(digest)));
  if (wanted) {
    // Another peer made the very same change on the same heads, and we have heard of its node.
    TRY_VOID(merge(digest, block));
    return digest;
  }
  TRY_VOID(store_block(digest, block, delta));
  link_complete(node.links);
  state_.tips[digest] = {delta.priority, 0, {}};
  return digest;
}

Result<std::vector<Bytes>> Transaction::write(const std::vector<LocalOp>& ops) {
  std::vector<Bytes> digests;
  Delta delta;
  std::deque<std::string> texts;  // what the views of the delta point to
  size_t bytes = 0;
  const auto flush = [&]() -> Status {
    if (delta.elements.empty() && delta.tombstones.empty()) {
      return {};
    }
    const uint64_t top = std::numeric_limits<uint64_t>::max();
    delta.priority = state_.height == top ? top : state_.height + 1;
    TRY(auto digest, write_node(delta));
    digests.push_back(std::move(digest));
    delta = {};
    texts.clear();
    bytes = 0;
    return {};
  };
  // Makes room for one more entry of the key and gives where its text stays.
  const auto room = [&](const std::string& key, size_t size) -> Result<std::string_view> {
    if (size > kMaxDeltaBytes) {
      return fail(Code::TooLarge, "a change of {} bytes is over the limit of {}", size,
                  kMaxDeltaBytes);
    }
    if (bytes + size > kMaxDeltaBytes) {
      TRY_VOID(flush());
    }
    bytes += size;
    return std::string_view(texts.emplace_back(key));
  };
  for (const auto& op : ops) {
    const std::string text = key_text(op.key);
    if (op.value) {
      TRY(const auto key, room(text, entry_size(text.size(), op.value->size())));
      delta.elements.push_back({key, {}, *op.value});
      continue;
    }
    TRY(const auto live, set_.live_ids(op.key));
    for (const auto& packed : live) {
      std::string id = id_text(packed);
      TRY(const auto key, room(text, entry_size(text.size(), id.size())));
      delta.tombstones.push_back({key, texts.emplace_back(std::move(id)), {}});
    }
  }
  TRY_VOID(flush());
  return digests;
}

Result<store::Batch> Transaction::finish(const std::vector<StateObserver*>& observers) {
  TRY_VOID(set_.finish(observers));
  state_.totals = set_.totals();
  state_.save(before_, overlay_.batch());
  return std::move(overlay_.batch());
}

}  // namespace ica::crdt
