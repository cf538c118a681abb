#include "agent/crdt/fetcher.h"

#include <algorithm>

namespace ica::crdt {

namespace {

// So much earlier than others are urgent items due.
constexpr auto kUrgent = std::chrono::hours(24);

SteadyTime::duration steady(Duration d) {
  return std::chrono::duration_cast<SteadyTime::duration>(d);
}

}  // namespace

void Fetcher::schedule(const Bytes& digest, Item& item, SteadyTime due) {
  item.state = State::Waiting;
  item.due = due;
  item.order = next_order_++;
  due_.insert({due, {item.order, digest}});
}

void Fetcher::unschedule(const Bytes& digest, const Item& item) {
  if (item.state == State::Waiting) {
    due_.erase({item.due, {item.order, digest}});
  } else if (item.state == State::InFlight) {
    --(item.urgent ? urgent_in_flight_ : in_flight_);
  }
}

void Fetcher::forget(const Bytes& digest) {
  if (const auto it = items_.find(digest); it != items_.end()) {
    unschedule(digest, it->second);
    items_.erase(it);
  }
}

void Fetcher::want(const Bytes& digest, const PeerId& peer, SteadyTime now, bool urgent) {
  if (const auto it = items_.find(digest); it != items_.end()) {
    Item& item = it->second;
    if (!peer.empty() && item.peer != peer) {
      // Somebody else says to have it: worth another attempt at once.
      item.peer = peer;
      if (item.state == State::Waiting && item.due > now) {
        unschedule(digest, item);
        schedule(digest, item, now);
      }
    }
    return;
  }
  if (items_.size() >= options_.window) {
    // The last one that would be asked for makes room; it stays in the store.
    if (due_.empty() || (!urgent && std::prev(due_.end())->first <= now)) {
      return;
    }
    forget(Bytes(std::prev(due_.end())->second.second));
  }
  Item& item = items_[digest];
  item.peer = peer;
  item.since = now;
  item.urgent = urgent;
  schedule(digest, item, urgent ? now - kUrgent : now);
}

void Fetcher::settle_all() {
  while (!items_.empty()) {
    forget(Bytes(items_.begin()->first));
  }
}

void Fetcher::failed(const Bytes& digest, SteadyTime now) {
  const auto it = items_.find(digest);
  if (it == items_.end() || it->second.state != State::InFlight) {
    return;
  }
  Item& item = it->second;
  unschedule(digest, item);
  item.peer = {};
  item.urgent = false;
  const int doublings = std::min(item.attempts, 20);
  ++item.attempts;
  const Duration wait =
      std::min(options_.first_retry * (int64_t{1} << doublings), options_.last_retry);
  schedule(digest, item, now + steady(wait));
}

void Fetcher::arrived(const Bytes& digest) {
  const auto it = items_.find(digest);
  if (it != items_.end()) {
    unschedule(digest, it->second);
    it->second.state = State::Arrived;
  }
}

void Fetcher::retry_all(SteadyTime now) {
  std::vector<Bytes> later;
  for (const auto& [due, entry] : due_) {
    if (due > now) {
      later.push_back(entry.second);
    }
  }
  for (const auto& digest : later) {
    Item& item = items_[digest];
    unschedule(digest, item);
    schedule(digest, item, now);
  }
}

std::vector<Fetcher::Request> Fetcher::start(SteadyTime now) {
  std::vector<Request> out;
  if (now < held_until_) {
    return out;
  }
  while (!due_.empty() && due_.begin()->first <= now) {
    const Bytes digest = due_.begin()->second.second;
    Item& item = items_[digest];
    const bool room = in_flight_ < options_.parallel;
    if (!room && (!item.urgent || urgent_in_flight_ >= options_.parallel_urgent)) {
      break;
    }
    // The places of its own are kept for when there is no other.
    item.urgent = item.urgent && !room;
    due_.erase(due_.begin());
    item.state = State::InFlight;
    ++(item.urgent ? urgent_in_flight_ : in_flight_);
    out.push_back({digest, item.peer});
  }
  return out;
}

SteadyTime Fetcher::next() const {
  if (due_.empty()) {
    return SteadyTime::max();
  }
  if (in_flight_ >= options_.parallel) {
    const bool urgent = items_.at(due_.begin()->second.second).urgent;
    if (!urgent || urgent_in_flight_ >= options_.parallel_urgent) {
      return SteadyTime::max();
    }
  }
  return std::max(due_.begin()->first, held_until_);
}

std::vector<Bytes> Fetcher::outstanding(size_t limit) const {
  std::vector<Bytes> out;
  for (auto it = items_.begin(); it != items_.end() && out.size() < limit; ++it) {
    if (it->second.state != State::Arrived) {
      out.push_back(it->first);
    }
  }
  return out;
}

bool Fetcher::waits_for(const Bytes& digest) const {
  const auto it = items_.find(digest);
  return it != items_.end() && it->second.state != State::Arrived;
}

std::vector<Bytes> Fetcher::failing(size_t limit) const {
  std::vector<Bytes> out;
  for (auto it = items_.begin(); it != items_.end() && out.size() < limit; ++it) {
    if (it->second.state == State::Waiting && it->second.attempts > 0) {
      out.push_back(it->first);
    }
  }
  return out;
}

std::vector<Bytes> Fetcher::hopeless(SteadyTime now) const {
  std::vector<Bytes> out;
  for (const auto& [digest, item] : items_) {
    if (item.state == State::Waiting && item.attempts >= options_.give_up_attempts &&
        now - item.since >= steady(options_.give_up)) {
      out.push_back(digest);
    }
  }
  return out;
}

void Fetcher::rotate() {
  std::vector<Bytes> waiting;
  for (const auto& [due, entry] : due_) {
    if (items_[entry.second].attempts > 0) {
      waiting.push_back(entry.second);
    }
  }
  for (const auto& digest : waiting) {
    forget(digest);
  }
}

}  // namespace ica::crdt
