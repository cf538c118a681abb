#include "agent/p2p/gossip_router.h"

#include <algorithm>

namespace ica::p2p {

GossipRouter::GossipRouter(PeerId self, GossipParams params, GossipSink& sink, uint64_t seed)
    : self_(std::move(self)),
      params_(params),
      sink_(sink),
      random_(seed),
      seen_(params.seen_ttl, params.max_seen, random_()),
      windows_(1) {}

void GossipRouter::join(const std::string& topic) {
  topics_.try_emplace(topic);
}

void GossipRouter::add_peer(const PeerId& peer, bool outbound, SteadyTime now) {
  auto [it, fresh] = peers_.try_emplace(peer);
  it->second.outbound = outbound;
  GossipRpc hello;
  for (auto& [name, topic] : topics_) {
    hello.subscriptions.push_back({true, name});
    if (topic.mesh.contains(peer) ||
        (topic.mesh.size() < params_.d && may_graft(topic, peer, now))) {
      topic.mesh.insert(peer);
      hello.graft.push_back(name);
    }
  }
  sink_.send(peer, std::move(hello), false);
}

void GossipRouter::remove_peer(const PeerId& peer) {
  peers_.erase(peer);
  for (auto& [name, topic] : topics_) {
    topic.mesh.erase(peer);
  }
}

bool GossipRouter::may_graft(const Topic& topic, const PeerId& peer, SteadyTime now) const {
  const auto it = topic.backoff.find(peer);
  return it == topic.backoff.end() || it->second <= now;
}

void GossipRouter::cache(const Bytes& id, const GossipMessage& message) {
  cache_bytes_ += message.data.size() + 200;
  cache_.emplace(id, Cached{message, {}});
  windows_.front().push_back(id);
  // The oldest messages give way when a burst would cost too much memory.
  for (size_t w = windows_.size(); w-- > 0 && cache_bytes_ > params_.max_cache_bytes;) {
    for (const Bytes& old : windows_[w]) {
      if (const auto it = cache_.find(old); it != cache_.end()) {
        cache_bytes_ -= it->second.message.data.size() + 200;
        cache_.erase(it);
      }
    }
    windows_[w].clear();
  }
}

void GossipRouter::forward(const GossipMessage& message, const PeerId& except, bool own) {
  const auto it = topics_.find(message.topic);
  if (it == topics_.end()) {
    return;
  }
  std::vector<PeerId> targets(it->second.mesh.begin(), it->second.mesh.end());
  if (own && targets.empty()) {
    targets = subscribers(message.topic);
  }
  for (const PeerId& peer : targets) {
    if (peer == except || peer.bytes() == message.from) {
      continue;
    }
    GossipRpc rpc;
    rpc.messages.push_back(message);
    sink_.send(peer, std::move(rpc), own);
    ++stats_.forwarded;
  }
}

void GossipRouter::publish(const GossipMessage& message, SteadyTime now) {
  const auto id = message_id(message);
  if (!id || !seen_.insert(*id, now)) {
    return;
  }
  ++stats_.published;
  cache(*id, message);
  forward(message, self_, true);
}

void GossipRouter::on_message(const PeerId& from, const GossipMessage& message, SteadyTime now) {
  ++stats_.received;
  if (!topics_.contains(message.topic)) {
    return;
  }
  const auto id = message_id(message);
  if (!id) {
    ++stats_.rejected;
    return;
  }
  if (seen_.contains(*id)) {
    ++stats_.duplicates;
    return;
  }
  // What claims to come from us and does not would come back to us as our own word.
  if (message.from == self_.bytes()) {
    ++stats_.rejected;
    return;
  }
  // A forged message must not make us deaf for the true one with its ID: remember only what was
  // valid.
  const Verdict verdict = sink_.validate(message, from);
  if (verdict == Verdict::Reject) {
    ++stats_.rejected;
    return;
  }
  seen_.insert(*id, now);
  if (verdict == Verdict::Ignore) {
    return;
  }
  cache(*id, message);
  forward(message, from, false);
  sink_.deliver(message, from);
}

void GossipRouter::on_rpc(const PeerId& from, const GossipRpc& rpc, SteadyTime now) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) {
    return;
  }
  Peer& peer = found->second;
  GossipRpc answer;

  std::vector<std::string> newly;
  for (const Subscription& s : rpc.subscriptions) {
    if (!s.subscribe) {
      peer.topics.erase(s.topic);
      if (const auto t = topics_.find(s.topic); t != topics_.end()) {
        t->second.mesh.erase(from);
      }
      continue;
    }
    const auto t = topics_.find(s.topic);
    if (t == topics_.end() && peer.topics.size() >= params_.max_topics_per_peer) {
      continue;
    }
    if (peer.topics.insert(s.topic).second && t != topics_.end()) {
      newly.push_back(s.topic);
      if (t->second.mesh.size() < params_.d && !t->second.mesh.contains(from) &&
          may_graft(t->second, from, now)) {
        t->second.mesh.insert(from);
        answer.graft.push_back(s.topic);
      }
    }
  }

  for (const std::string& name : rpc.graft) {
    const auto t = topics_.find(name);
    if (t == topics_.end() || t->second.mesh.contains(from)) {
      continue;
    }
    const bool backed_off = !may_graft(t->second, from, now);
    if (backed_off || (t->second.mesh.size() >= params_.d_hi && !peer.outbound)) {
      t->second.backoff[from] = now + params_.prune_backoff;
      answer.prune.push_back(
          {name,
           static_cast<uint64_t>(
               std::chrono::duration_cast<std::chrono::seconds>(params_.prune_backoff).count())});
      continue;
    }
    t->second.mesh.insert(from);
  }

  for (const Prune& prune : rpc.prune) {
    const auto t = topics_.find(prune.topic);
    if (t == topics_.end()) {
      continue;
    }
    t->second.mesh.erase(from);
    const Duration backoff =
        prune.backoff_seconds == 0
            ? params_.prune_backoff
            : Duration(std::chrono::seconds(std::min<uint64_t>(prune.backoff_seconds, 3600)));
    t->second.backoff[from] = now + backoff;
  }

  if (!rpc.ihave.empty() && ++peer.ihave_messages <= params_.max_ihave_messages) {
    for (const IHave& have : rpc.ihave) {
      if (!topics_.contains(have.topic)) {
        continue;
      }
      for (const Bytes& id : have.ids) {
        if (peer.iwant_ids >= params_.max_iwant_ids) {
          break;
        }
        if (!seen_.contains(id)) {
          answer.iwant.push_back(id);
          ++peer.iwant_ids;
        }
      }
    }
  }

  for (const Bytes& id : rpc.iwant) {
    const auto cached = cache_.find(id);
    if (cached == cache_.end() || ++cached->second.sent[from] > params_.max_retransmissions) {
      continue;
    }
    GossipRpc one;
    one.messages.push_back(cached->second.message);
    sink_.send(from, std::move(one), cached->second.message.from == self_.bytes());
  }

  if (!answer.empty()) {
    sink_.send(from, std::move(answer), false);
  }
  for (const GossipMessage& message : rpc.messages) {
    on_message(from, message, now);
  }
  if (on_subscribed) {
    for (const std::string& topic : newly) {
      on_subscribed(from, topic);
    }
  }
}

std::vector<PeerId> GossipRouter::shuffled(std::vector<PeerId> peers) {
  std::shuffle(peers.begin(), peers.end(), random_);
  return peers;
}

void GossipRouter::balance(const std::string& name, Topic& topic, SteadyTime now,
                           std::map<PeerId, GossipRpc>& out) {
  std::erase_if(topic.backoff, [&](const auto& entry) { return entry.second <= now; });
  std::erase_if(topic.mesh, [&](const PeerId& peer) {
    const auto it = peers_.find(peer);
    return it == peers_.end() || !it->second.topics.contains(name);
  });
  if (topic.mesh.size() < params_.d_lo) {
    std::vector<PeerId> candidates;
    for (const auto& [id, peer] : peers_) {
      if (peer.topics.contains(name) && !topic.mesh.contains(id) && may_graft(topic, id, now)) {
        candidates.push_back(id);
      }
    }
    for (const PeerId& id : shuffled(std::move(candidates))) {
      if (topic.mesh.size() >= params_.d) {
        break;
      }
      topic.mesh.insert(id);
      out[id].graft.push_back(name);
    }
  }
  if (topic.mesh.size() > params_.d_hi) {
    // Some links that we have dialled stay, so that nobody can fill our mesh from outside.
    size_t outbound_kept = 0;
    size_t kept = 0;
    std::vector<PeerId> order = shuffled({topic.mesh.begin(), topic.mesh.end()});
    std::stable_partition(order.begin(), order.end(), [&](const PeerId& id) {
      return peers_[id].outbound && outbound_kept++ < params_.d_out;
    });
    for (const PeerId& id : order) {
      if (kept++ < params_.d) {
        continue;
      }
      topic.mesh.erase(id);
      topic.backoff[id] = now + params_.prune_backoff;
      out[id].prune.push_back(
          {name,
           static_cast<uint64_t>(
               std::chrono::duration_cast<std::chrono::seconds>(params_.prune_backoff).count())});
    }
  }
}

void GossipRouter::announce(const std::string& name, const Topic& topic,
                            std::map<PeerId, GossipRpc>& out) {
  std::vector<Bytes> ids;
  for (size_t w = 0; w < windows_.size() && w < params_.history_gossip; ++w) {
    for (const Bytes& id : windows_[w]) {
      const auto it = cache_.find(id);
      if (it != cache_.end() && it->second.message.topic == name) {
        ids.push_back(id);
      }
    }
  }
  if (ids.empty()) {
    return;
  }
  constexpr size_t kMaxIds = 5'000;
  if (ids.size() > kMaxIds) {
    std::shuffle(ids.begin(), ids.end(), random_);
    ids.resize(kMaxIds);
  }
  std::vector<PeerId> candidates;
  for (const auto& [id, peer] : peers_) {
    if (peer.topics.contains(name) && !topic.mesh.contains(id)) {
      candidates.push_back(id);
    }
  }
  size_t left = std::max(params_.d_lazy, candidates.size() / 4);
  for (const PeerId& id : shuffled(std::move(candidates))) {
    if (left-- == 0) {
      break;
    }
    out[id].ihave.push_back({name, ids});
  }
}

void GossipRouter::heartbeat(SteadyTime now) {
  std::map<PeerId, GossipRpc> out;
  for (auto& [id, peer] : peers_) {
    peer.ihave_messages = 0;
    peer.iwant_ids = 0;
  }
  for (auto& [name, topic] : topics_) {
    balance(name, topic, now, out);
    announce(name, topic, out);
  }
  for (auto& [id, rpc] : out) {
    if (!rpc.empty()) {
      sink_.send(id, std::move(rpc), false);
    }
  }
  windows_.emplace_front();
  while (windows_.size() > params_.history_length) {
    for (const Bytes& id : windows_.back()) {
      if (const auto it = cache_.find(id); it != cache_.end()) {
        cache_bytes_ -= it->second.message.data.size() + 200;
        cache_.erase(it);
      }
    }
    windows_.pop_back();
  }
}

std::vector<PeerId> GossipRouter::mesh(const std::string& topic) const {
  const auto it = topics_.find(topic);
  return it == topics_.end() ? std::vector<PeerId>()
                             : std::vector<PeerId>(it->second.mesh.begin(), it->second.mesh.end());
}

std::vector<PeerId> GossipRouter::subscribers(const std::string& topic) const {
  std::vector<PeerId> out;
  for (const auto& [id, peer] : peers_) {
    if (peer.topics.contains(topic)) {
      out.push_back(id);
    }
  }
  return out;
}

}  // namespace ica::p2p
