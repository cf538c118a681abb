#include "agent/p2p/gossip_outbox.h"

#include <algorithm>

namespace ica::p2p {
namespace {

constexpr size_t kOverhead = 160;  // of a message beside its data
constexpr size_t kMaxControl = 256;

size_t size_of(const GossipMessage& m) {
  return m.data.size() + m.key.size() + m.unknown.size() + m.topic.size() + kOverhead;
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>&& from, size_t limit) {
  for (T& item : from) {
    if (to.size() >= limit) {
      return;
    }
    to.push_back(std::move(item));
  }
}

}  // namespace

void GossipOutbox::put(GossipMessage message, bool own) {
  const size_t size = size_of(message);
  bytes_ += size;
  messages_.push_back({std::move(message), own, size});
}

size_t GossipOutbox::make_room() {
  const auto full = [&] { return messages_.size() > limits_.messages || bytes_ > limits_.bytes; };
  size_t dropped = 0;
  const auto drop_if = [&](auto&& rule) {
    for (auto it = messages_.begin(); it != messages_.end() && full();) {
      if (!rule(*it)) {
        ++it;
        continue;
      }
      bytes_ -= it->size;
      it = messages_.erase(it);
      ++dropped;
    }
  };
  if (full()) {
    drop_if([](const Item& item) { return !item.own; });
    drop_if([&](const Item& item) {
      const auto last = last_own_.find(item.message.topic);
      return last == last_own_.end() || last->second.seqno != item.message.seqno;
    });
  }
  return dropped;
}

size_t GossipOutbox::push(GossipRpc rpc, bool own) {
  append(control_.subscriptions, std::move(rpc.subscriptions), kMaxControl);
  append(control_.graft, std::move(rpc.graft), kMaxControl);
  append(control_.prune, std::move(rpc.prune), kMaxControl);
  for (IHave& have : rpc.ihave) {
    if (control_ids_ + have.ids.size() <= limits_.control) {
      control_ids_ += have.ids.size();
      control_.ihave.push_back(std::move(have));
    }
  }
  if (control_ids_ + rpc.iwant.size() <= limits_.control) {
    control_ids_ += rpc.iwant.size();
    append(control_.iwant, std::move(rpc.iwant), limits_.control);
  }
  for (GossipMessage& message : rpc.messages) {
    if (own) {
      last_own_[message.topic] = message;
    }
    put(std::move(message), own);
  }
  return make_room();
}

void GossipOutbox::restart() {
  control_ = {};
  control_ids_ = 0;
  for (const auto& [topic, last] : last_own_) {
    const bool waits = std::any_of(messages_.begin(), messages_.end(), [&](const Item& item) {
      return item.own && item.message.seqno == last.seqno;
    });
    if (!waits) {
      put(last, true);
    }
  }
}

GossipRpc GossipOutbox::take(size_t max_bytes) {
  GossipRpc out = std::move(control_);
  control_ = {};
  control_ids_ = 0;
  size_t taken = 0;
  while (!messages_.empty() && (taken == 0 || taken + messages_.front().size <= max_bytes)) {
    Item& item = messages_.front();
    taken += item.size;
    bytes_ -= item.size;
    out.messages.push_back(std::move(item.message));
    messages_.pop_front();
  }
  return out;
}

}  // namespace ica::p2p
