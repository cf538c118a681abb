#include "tests/sim/orchestration/pinset.h"

namespace ica::sim::orchestration {

void SimPinset::apply(const Write& write) {
  height_ = std::max(height_, write.stamp.height);
  Write::Stamp& known = stamps_[write.cid];
  if (write.stamp <= known) {
    return;
  }
  known = write.stamp;
  ++changes_;
  crdt::PinChange change;
  change.cid = write.cid;
  change.after = write.pin;
  if (const auto found = pins_.find(write.cid); found != pins_.end()) {
    for (const PeerId& peer : found->second.allocations.items) {
      by_peer_[peer].erase(write.cid);
    }
    change.before = std::move(found->second);
    pins_.erase(found);
  }
  if (write.pin) {
    for (const PeerId& peer : write.pin->allocations.items) {
      by_peer_[peer].insert(write.cid);
    }
    pins_.emplace(write.cid, *write.pin);
  }
  store::Batch batch;
  observer_->on_change(change, batch);
  observer_->on_committed(store_.commit(std::move(batch), store::Sync::No));
}

void SimPinset::write(const Cid& cid, std::optional<api::Pin> pin) {
  if (pin) {
    // What comes back is what the state's encoding keeps.
    pin = api::decode_pin(cid, api::encode_pin(*pin)).value();
  }
  const Write write{cid, std::move(pin), {height_ + 1, writer_ + 1}};
  apply(write);
  hooks_.publish(write);
}

Task<Status> SimPinset::put(api::Pin pin) {
  const Cid cid = pin.cid;
  write(cid, std::move(pin));
  co_return Status();
}

Task<Result<bool>> SimPinset::replace(api::Pin before, api::Pin after) {
  const auto found = pins_.find(after.cid);
  if (found == pins_.end() || api::encode_pin(found->second) != api::encode_pin(before)) {
    co_return false;
  }
  hooks_.replaced(before, after);
  const Cid cid = after.cid;
  write(cid, std::move(after));
  co_return true;
}

Task<Result<bool>> SimPinset::remove(Cid cid) {
  if (!pins_.contains(cid)) {
    co_return false;
  }
  write(cid, std::nullopt);
  co_return true;
}

Result<std::optional<api::Pin>> SimPinset::get(const Cid& cid, const store::SnapshotPtr&) const {
  const auto found = pins_.find(cid);
  return found == pins_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<api::Pin>> SimPinset::page(const Cid& after, size_t limit,
                                              const store::SnapshotPtr&) const {
  std::vector<api::Pin> out;
  for (auto at = after.defined() ? pins_.upper_bound(after) : pins_.begin();
       at != pins_.end() && out.size() < limit; ++at) {
    out.push_back(at->second);
  }
  return out;
}

Result<std::vector<Cid>> SimPinset::allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                                 const store::SnapshotPtr&) const {
  std::vector<Cid> out;
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end()) {
    return out;
  }
  const std::set<Cid>& cids = found->second;
  for (auto at = after.defined() ? cids.upper_bound(after) : cids.begin();
       at != cids.end() && out.size() < limit; ++at) {
    out.push_back(*at);
  }
  return out;
}

Result<std::vector<Cid>> SimPinset::crowded(const Cid& after, size_t limit,
                                            const store::SnapshotPtr&) const {
  std::vector<Cid> out;
  for (auto at = after.defined() ? pins_.upper_bound(after) : pins_.begin();
       at != pins_.end() && out.size() < limit; ++at) {
    if (crdt::crowded(at->second)) {
      out.push_back(at->first);
    }
  }
  return out;
}

Result<std::vector<PeerId>> SimPinset::allocated_peers() const {
  std::vector<PeerId> out;
  for (const auto& [peer, cids] : by_peer_) {
    if (!cids.empty()) {
      out.push_back(peer);
    }
  }
  return out;
}

crdt::PinsetInfo SimPinset::info() const {
  crdt::PinsetInfo out;
  out.pins = pins_.size();
  out.digest = changes_;
  return out;
}

}  // namespace ica::sim::orchestration
