#include "agent/cluster/moves.h"

#include <algorithm>

#include "agent/cluster/contains.h"

namespace ica::cluster {
namespace {

std::vector<PeerId> living(const api::Pin& pin, const ClusterView& view) {
  std::vector<PeerId> out;
  for (const PeerId& peer : pin.allocations.items) {
    if (view.is_alive(peer)) {
      out.push_back(peer);
    }
  }
  return out;
}

Result<std::vector<PeerId>> place(const api::Pin& pin, const ClusterView& view, int min, int max,
                                  std::vector<PeerId> excluded) {
  allocator::Request request;
  request.replication_min = min;
  request.replication_max = max;
  request.current = pin.allocations.items;
  request.spread = pin.cid.bytes();
  request.holds = [&](const PeerId& peer) {
    return view.is_alive(peer) && !contains(excluded, peer);
  };
  // Closed peers are no candidates; those that hold it already are left alone.
  request.eligible = [&](const PeerId& peer) {
    return !contains(excluded, peer) &&
           (contains(pin.allocations.items, peer) ||
            (!contains(view.closed, peer) && (!view.eligible || view.eligible(peer))));
  };
  return allocator::allocate(request, view.metrics, view.allocate_by);
}

}  // namespace

const std::vector<api::Metric>& ClusterView::free_space() const {
  static const std::vector<api::Metric> kNone;
  const auto found = metrics.find(std::string(kFreeSpace));
  return found == metrics.end() ? kNone : found->second;
}

bool ClusterView::is_alive(const PeerId& peer) const {
  return std::binary_search(alive.begin(), alive.end(), peer);
}

Result<std::optional<std::vector<PeerId>>> replace_lost(const api::Pin& pin,
                                                        const ClusterView& view) {
  const auto& options = pin.options;
  if (pin.everywhere() || pin.allocations.items.empty() || options.replication_factor_min <= 0) {
    return std::nullopt;
  }
  if (static_cast<int>(living(pin, view).size()) >= options.replication_factor_min) {
    return std::nullopt;
  }
  TRY(auto peers,
      place(pin, view, options.replication_factor_min, options.replication_factor_max, {}));
  return std::optional<std::vector<PeerId>>(std::move(peers));
}

std::vector<PeerId> others_alive(const api::Pin& pin, const PeerId& leaving,
                                 const ClusterView& view) {
  std::vector<PeerId> out = living(pin, view);
  std::erase(out, leaving);
  return out;
}

void keep_best(std::vector<PeerId>& peers, size_t max, const HeldBy& held,
               const ClusterView& view) {
  const auto worth = [&](const PeerId& peer) {
    const auto found = held.find(peer);
    return found != held.end() && found->second == Held::Yes ? 0 : view.is_alive(peer) ? 1 : 2;
  };
  for (int least = 2; least >= 0; --least) {
    for (size_t i = peers.size(); i-- > 0 && peers.size() > max;) {
      if (worth(peers[i]) == least) {
        peers.erase(peers.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  }
}

Step next_step(const api::Pin& pin, const PeerId& leaving, const HeldBy& held,
               const ClusterView& view) {
  if (!contains(pin.allocations.items, leaving) || pin.everywhere()) {
    return {};
  }
  const int min = std::max(pin.options.replication_factor_min, 1);
  const int max = std::max(pin.options.replication_factor_max, min);
  const std::vector<PeerId> others = others_alive(pin, leaving, view);
  const int have = static_cast<int>(others.size());
  if (have < max) {
    // As many as there are candidates for, at least one more than now.
    auto more = place(pin, view, have + 1, max, {leaving});
    if (more && static_cast<int>(more->size()) > have) {
      Step step{Step::Kind::Add, pin.allocations.items};
      for (const PeerId& peer : *more) {
        if (!contains(step.allocations, peer)) {
          step.allocations.push_back(peer);
        }
      }
      return step;
    }
    if (have < min) {
      return {Step::Kind::Blocked, {}};
    }
  }
  int holding = 0;
  int open = 0;
  for (const PeerId& peer : others) {
    const auto found = held.find(peer);
    const Held answer = found == held.end() ? Held::No : found->second;
    holding += answer == Held::Yes ? 1 : 0;
    open += answer == Held::No ? 1 : 0;
  }
  // One that cannot hold it does not hold the others up, as long as the minimum is kept.
  const bool enough = holding >= std::min(max, have) || (open == 0 && holding >= min);
  if (!enough) {
    return {Step::Kind::Wait, {}};
  }
  Step step{Step::Kind::Remove, pin.allocations.items};
  std::erase(step.allocations, leaving);
  // A peer that was away when others were added in its place may be back.
  keep_best(step.allocations, static_cast<size_t>(max), held, view);
  return step;
}

}  // namespace ica::cluster
