#pragma once

#include <functional>
#include <map>
#include <set>

#include "agent/crdt/pinset.h"

namespace ica::sim::orchestration {

// One change of the shared map. Of two for a CID the one with the greater stamp counts, so all
// peers come to the same map in whatever order they hear of them.
struct Write {
  struct Stamp {
    uint64_t height = 0;
    size_t writer = 0;
    auto operator<=>(const Stamp&) const = default;
  };
  Cid cid;
  std::optional<api::Pin> pin;
  Stamp stamp;
};

// The pinset as one peer sees it: a map that converges, where crdt_sim has the real one. Survives
// the death of its peer, together with the store.
class SimPinset final : public crdt::Pinset {
 public:
  // `publish` gives a change of this peer to the others; `replaced` hears of each one that
  // orchestration makes, before it is made.
  struct Hooks {
    std::function<void(const Write&)> publish;
    std::function<void(const api::Pin& before, const api::Pin& after)> replaced;
  };
  SimPinset(size_t writer, store::Store& store, Hooks hooks)
      : writer_(writer), store_(store), hooks_(std::move(hooks)) {}

  // A change of this peer or of another one.
  void apply(const Write& write);
  bool knows(const Write& write) const {
    const auto known = stamps_.find(write.cid);
    return known != stamps_.end() && known->second >= write.stamp;
  }
  const std::map<Cid, api::Pin>& pins() const { return pins_; }

  Task<Status> put(api::Pin pin) override;
  Task<Result<bool>> replace(api::Pin before, api::Pin after) override;
  Task<Result<bool>> remove(Cid cid) override;
  Result<std::optional<api::Pin>> get(const Cid& cid,
                                      const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                     const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> expired(Time, size_t) const override { return std::vector<Cid>(); }
  Result<std::optional<Time>> next_expiry() const override { return std::optional<Time>(); }
  Result<std::vector<Cid>> allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                        const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> crowded(const Cid& after, size_t limit,
                                   const store::SnapshotPtr& snapshot) const override;
  Result<std::vector<Cid>> named(std::string_view, const Cid&, size_t,
                                 const store::SnapshotPtr&) const override {
    return std::vector<Cid>();
  }
  Result<std::vector<PeerId>> allocated_peers() const override;
  crdt::PinsetInfo info() const override;
  void observe(crdt::StateObserver& observer) override { observer_ = &observer; }

 private:
  void write(const Cid& cid, std::optional<api::Pin> pin);

  const size_t writer_;
  store::Store& store_;
  const Hooks hooks_;
  crdt::StateObserver* observer_ = nullptr;
  std::map<Cid, api::Pin> pins_;
  std::map<PeerId, std::set<Cid>> by_peer_;
  std::map<Cid, Write::Stamp> stamps_;
  uint64_t height_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace ica::sim::orchestration
