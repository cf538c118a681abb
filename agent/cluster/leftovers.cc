// Moves that somebody began and nobody finishes: a peer has died in the middle of a rebalance, or a
// drain was taken back where nobody remembers it. Their pins have more peers than their maximum.
#include <algorithm>

#include "agent/cluster/core.h"
#include "agent/cluster/holders.h"
#include "agent/cluster/orchestrator.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr size_t kPage = 256;
// Looked at in one pass; further ones come when these are done.
constexpr size_t kMaxLeftovers = 4096;
constexpr Duration kPause = std::chrono::seconds(15);
constexpr Duration kAskLimit = std::chrono::seconds(5);

// The peer that a move of this pin would take it from: one that cannot hold it, one that is to take
// no pins, else the one with the least free space.
PeerId to_leave(const std::vector<PeerId>& holders, const HeldBy& held, const ClusterView& view,
                const std::vector<api::Metric>& free) {
  const auto worth = [&](const PeerId& peer) {
    if (held.at(peer) != Held::Yes) {
      return std::pair(0, int64_t{0});
    }
    if (std::binary_search(view.closed.begin(), view.closed.end(), peer)) {
      return std::pair(1, int64_t{0});
    }
    const auto metric = std::find_if(free.begin(), free.end(),
                                     [&](const api::Metric& m) { return m.peer == peer; });
    return std::pair(2, metric == free.end() ? int64_t{0} : metric->weight);
  };
  return *std::min_element(holders.begin(), holders.end(),
                           [&](const auto& a, const auto& b) { return worth(a) < worth(b); });
}

}  // namespace

Task<Result<std::vector<api::Pin>>> Orchestrator::crowded_page(Cid after,
                                                               store::SnapshotPtr snapshot) {
  auto read = [this, after, snapshot]() -> Result<std::vector<api::Pin>> {
    TRY(const auto cids, core_.parts.pinset.crowded(after, kPage, snapshot));
    return core_.pins_of(cids, snapshot);
  };
  co_return co_await run_on(core_.parts.disk, std::move(read));
}

// Whoever moves a pin takes it from its old place as soon as the new one holds it. So a pin that
// all its peers have held for longer than a lost peer is waited for is nobody's.
Task<Result<bool>> Orchestrator::leftover_pass(StopToken stop) {
  const Time now = core_.now();
  if (now < next_leftovers_) {
    co_return false;
  }
  const Duration grace = core_.parts.config.agent.repin_grace;
  next_leftovers_ = now.plus(std::min<Duration>(kPause, grace));
  auto view = std::make_shared<const ClusterView>(core_.view());
  if (!view->may_move()) {
    co_return false;
  }
  const auto snapshot = core_.snapshot();
  std::map<Cid, Leftover> seen;
  std::vector<Task<Result<bool>>> tasks;
  Cid after;
  while (seen.size() < kMaxLeftovers) {
    Result<std::vector<api::Pin>> looked = co_await crowded_page(after, snapshot);
    CO_TRY(auto pins, std::move(looked));
    if (pins.empty()) {
      break;
    }
    after = pins.back().cid;
    for (api::Pin& pin : pins) {
      const auto known = leftovers_.find(pin.cid);
      Leftover leftover{pin.allocations.items, now};
      if (known != leftovers_.end() && known->second.allocations == leftover.allocations) {
        leftover.since = known->second.since;
      }
      const Time over = leftover.since.plus(grace);
      seen.insert_or_assign(pin.cid, std::move(leftover));
      if (over > now || tasks.size() == kPage) {
        continue;
      }
      const auto rank = static_cast<int64_t>(rank_of(view->movers, view->self, pin.cid));
      if (over.plus(step_delay() * rank) <= now) {
        tasks.push_back(finish_leftover(std::move(pin), view, stop));
      }
    }
  }
  leftovers_ = std::move(seen);
  const Duration wait = move_rate_.take(tasks.size(), core_.parts.clock.steady());
  const auto outcomes = co_await gather(std::move(tasks));
  size_t finished = 0;
  for (const auto& outcome : outcomes) {
    if (!outcome) {
      co_return fail(outcome.error());
    }
    finished += *outcome ? 1 : 0;
  }
  if (finished > 0) {
    log_info("cluster", "{} moves that nobody finished are finished", finished);
  }
  if (wait > Duration::zero()) {
    (void)co_await sleep_for(wait, stop);  // a stop ends the loop that called
  }
  co_return finished > 0;
}

Task<Result<bool>> Orchestrator::finish_leftover(api::Pin pin,
                                                 std::shared_ptr<const ClusterView> view,
                                                 StopToken stop) {
  const std::vector<PeerId> holders = others_alive(pin, PeerId(), *view);
  if (holders.size() < crdt::most_copies(pin)) {
    co_return false;  // its own peers are away: too few are left to take one from it
  }
  HeldBy held = co_await ask_holders(core_, pin.cid, holders, kAskLimit, stop);
  const bool waits = std::any_of(held.begin(), held.end(), [](const auto& answer) {
    return answer.second == Held::No || answer.second == Held::Unknown;
  });
  if (waits) {
    co_return false;  // somebody's move is under way
  }
  const auto free = core_.parts.monitor.latest(core_.parts.config.informer_disk.metric_type);
  const PeerId from = to_leave(holders, held, *view, free);
  co_return co_await take_away(std::move(pin), from, std::move(held), view, stop);
}

}  // namespace ica::cluster
