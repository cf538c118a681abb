#include "agent/p2p/address_book.h"

#include <algorithm>

#include "agent/p2p/listen_addresses.h"

namespace ica::p2p {

namespace {

SteadyTime lifetime(AddressSource source, SteadyTime now) {
  switch (source) {
    case AddressSource::Permanent:
    case AddressSource::Added:
      return SteadyTime::max();
    case AddressSource::Identified:
      return now + std::chrono::hours(24);
    case AddressSource::Learned:
      return now + std::chrono::hours(1);
  }
  ICA_UNREACHABLE();
}

Multiaddr with_peer(const Multiaddr& address, const PeerId& peer) {
  auto full = Multiaddr::parse(address.text() + "/p2p/" + peer.text());
  return full ? *std::move(full) : address;
}

}  // namespace

bool AddressBook::alive(const Peer& peer, const Entry& entry, SteadyTime now) {
  return peer.connected || entry.until > now;
}

bool AddressBook::put(Peer& peer, const Multiaddr& address, AddressSource source, SteadyTime now) {
  for (Entry& entry : peer.entries) {
    if (entry.address == address) {
      entry.source = std::min(entry.source, source);
      entry.until = std::max(entry.until, lifetime(source, now));
      return false;
    }
  }
  std::erase_if(peer.entries, [&](const Entry& e) { return !alive(peer, e, now); });
  if (peer.entries.size() >= kMaxAddresses) {
    // The least reliable and oldest one makes room, if it is not worth more than the new one.
    const auto worst = std::max_element(
        peer.entries.begin(), peer.entries.end(), [](const Entry& a, const Entry& b) {
          return std::tie(a.source, b.rank) < std::tie(b.source, a.rank);
        });
    if (worst->source < source) {
      return false;
    }
    peer.entries.erase(worst);
  }
  peer.entries.push_back({address, source, lifetime(source, now), next_rank_++, false});
  return true;
}

void AddressBook::make_room() {
  if (peers_.size() < kMaxPeers) {
    return;
  }
  // Of those that only others told of first, because anybody on the local network may do that.
  auto oldest = peers_.end();
  AddressSource worst = AddressSource::Permanent;
  for (auto it = peers_.begin(); it != peers_.end(); ++it) {
    AddressSource best = AddressSource::Learned;
    for (const Entry& entry : it->second.entries) {
      best = std::min(best, entry.source);
    }
    if (it->second.connected || best == AddressSource::Permanent) {
      continue;
    }
    if (oldest == peers_.end() || best > worst ||
        (best == worst && it->second.heard < oldest->second.heard)) {
      oldest = it;
      worst = best;
    }
  }
  if (oldest != peers_.end()) {
    peers_.erase(oldest);
  }
}

bool AddressBook::add(const PeerId& peer, const std::vector<Multiaddr>& addresses,
                      AddressSource source, SteadyTime now) {
  if (peer == self_ || peer.empty()) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  bool fresh = false;
  for (const Multiaddr& full : addresses) {
    const auto named = full.peer_id();
    const Multiaddr address = full.without_peer();
    if ((named && *named != peer) || address.empty() || !dial_target(address)) {
      continue;
    }
    if (peers_.count(peer) == 0) {
      make_room();
    }
    Peer& entry = peers_[peer];
    entry.heard = now;
    fresh = put(entry, address, source, now) || fresh;
  }
  return fresh;
}

Status AddressBook::add(const Multiaddr& address, AddressSource source, SteadyTime now) {
  const auto peer = address.peer_id();
  if (!peer) {
    return fail(Code::InvalidArgument, "{}: the address has no /p2p/ part", address);
  }
  add(*peer, {address}, source, now);
  return {};
}

void AddressBook::identified(const PeerId& peer, const std::vector<Multiaddr>& addresses,
                             const Multiaddr& in_use, SteadyTime now) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = peers_.find(peer); it != peers_.end()) {
      std::erase_if(it->second.entries, [&](const Entry& e) {
        return e.source != AddressSource::Permanent && !is_name(e.address) && e.address != in_use &&
               !addresses.empty() &&
               std::find(addresses.begin(), addresses.end(), e.address) == addresses.end();
      });
    }
  }
  add(peer, addresses, AddressSource::Identified, now);
}

void AddressBook::set_connected(const PeerId& peer, bool connected, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto it = peers_.find(peer);
  if (it == peers_.end()) {
    return;
  }
  it->second.heard = now;
  it->second.connected = connected;
  for (Entry& entry : it->second.entries) {
    entry.until = std::max(entry.until, lifetime(entry.source, now));
  }
}

void AddressBook::remove(const PeerId& peer) {
  const std::lock_guard lock(mutex_);
  peers_.erase(peer);
}

std::vector<Multiaddr> AddressBook::addresses(const PeerId& peer, SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<const Entry*> entries;
  if (const auto it = peers_.find(peer); it != peers_.end()) {
    for (const Entry& entry : it->second.entries) {
      if (alive(it->second, entry, now)) {
        entries.push_back(&entry);
      }
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
    return std::tie(b->worked, a->source, a->rank) < std::tie(a->worked, b->source, b->rank);
  });
  std::vector<Multiaddr> out;
  out.reserve(entries.size());
  for (const Entry* entry : entries) {
    out.push_back(entry->address);
  }
  return out;
}

std::vector<PeerId> AddressBook::peers(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<PeerId> out;
  for (const auto& [id, peer] : peers_) {
    if (std::any_of(peer.entries.begin(), peer.entries.end(),
                    [&, &p = peer](const Entry& e) { return alive(p, e, now); })) {
      out.push_back(id);
    }
  }
  return out;
}

std::vector<Multiaddr> AddressBook::list(const PeerId& id, const Peer& peer, SteadyTime now) const {
  std::vector<Multiaddr> out;
  for (const Entry& entry : peer.entries) {
    if (alive(peer, entry, now)) {
      out.push_back(with_peer(entry.address, id));
    }
  }
  return out;
}

std::vector<Multiaddr> AddressBook::all(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  std::vector<Multiaddr> out;
  for (const auto& [id, peer] : peers_) {
    for (Multiaddr& address : list(id, peer, now)) {
      out.push_back(std::move(address));
    }
  }
  return out;
}

void AddressBook::worked(const PeerId& peer, const Multiaddr& address) {
  const std::lock_guard lock(mutex_);
  const auto it = peers_.find(peer);
  if (it == peers_.end()) {
    return;
  }
  for (Entry& entry : it->second.entries) {
    entry.worked = entry.address == address;
  }
}

std::string AddressBook::peerstore(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [id, peer] : peers_) {
    const auto addresses = list(id, peer, now);
    const bool named = std::any_of(addresses.begin(), addresses.end(), is_name);
    for (const Multiaddr& address : addresses) {
      if (!named || is_name(address)) {
        out += address.text();
        out += '\n';
      }
    }
  }
  return out;
}

size_t AddressBook::load_peerstore(std::string_view text, SteadyTime now) {
  size_t unreadable = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
      line.remove_suffix(1);
    }
    if (!line.starts_with('/')) {
      continue;
    }
    const auto address = Multiaddr::parse(line);
    if (!address || !add(*address, AddressSource::Added, now)) {
      ++unreadable;
    }
  }
  return unreadable;
}

}  // namespace ica::p2p
