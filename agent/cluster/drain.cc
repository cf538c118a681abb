// Emptying a peer: each pin is first added elsewhere and only then taken away from it.
#include "agent/cluster/core.h"
#include "agent/cluster/holders.h"
#include "common/base/async.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

constexpr size_t kPage = 64;
// Pins that may be on their way at a time: enough to keep every Kubo busy, not so many that a stop
// leaves much behind.
constexpr size_t kMaxWaiting = 1000;
constexpr Duration kShortPause = std::chrono::seconds(1);
constexpr Duration kLongPause = std::chrono::seconds(15);
constexpr Duration kAskLimit = std::chrono::seconds(5);

Held held(api::TrackerStatus status) {
  switch (status) {
    case api::TrackerStatus::Pinned:
      return Held::Yes;
    case api::TrackerStatus::PinError:
    case api::TrackerStatus::UnexpectedlyUnpinned:
      return Held::Failed;
    default:
      return Held::No;
  }
}

Task<std::pair<PeerId, Held>> ask_holder(const Cluster::Core* core, PeerId peer, Cid cid,
                                         Duration limit, StopToken stop) {
  if (peer == core->parts.self) {
    const auto own = core->parts.tracker.status(cid);
    co_return std::pair(peer, own ? held(own->local.status) : Held::No);
  }
  const auto answer = co_await core->parts.peers.status(peer, cid, limit, stop);
  if (!answer) {
    const bool refused = answer.error().code() == Code::PermissionDenied;
    co_return std::pair(peer, refused ? Held::Unknown : Held::No);
  }
  co_return std::pair(peer, held(answer->info.status));
}

// A copy that other peers are to hold now is let go when so many of them do that the minimum is
// kept without it. Where nobody talks to this peer it does as the reference, which does not ask.
Task<bool> may_release(CorePtr core, Cid cid, StopToken stop) {
  const auto pin = core->pin_get(cid);
  if (!pin) {
    co_return pin.error().code() == Code::NotFound;
  }
  if (pin->allocated_to(core->parts.self)) {
    co_return false;
  }
  const ClusterView view = core->view();
  const std::vector<PeerId> peers = others_alive(*pin, core->parts.self, view);
  const auto least =
      std::min<size_t>(pin->allocations.items.size(),
                       static_cast<size_t>(std::max(pin->options.replication_factor_min, 1)));
  if (peers.size() < least) {
    co_return false;
  }
  const HeldBy answers = co_await ask_holders(*core, cid, peers, kAskLimit, stop);
  size_t holding = 0;
  bool all_refuse = !answers.empty();
  for (const auto& [peer, answer] : answers) {
    holding += answer == Held::Yes ? 1 : 0;
    all_refuse = all_refuse && answer == Held::Unknown;
  }
  co_return holding >= least || all_refuse;
}

}  // namespace

std::function<Task<bool>(Cid, StopToken)> Cluster::release_gate() const {
  return [core = core_](Cid cid, StopToken stop) {
    return may_release(core, std::move(cid), std::move(stop));
  };
}

Task<HeldBy> ask_holders(const Cluster::Core& core, Cid cid, std::vector<PeerId> peers,
                         Duration limit, StopToken stop) {
  std::vector<Task<std::pair<PeerId, Held>>> tasks;
  tasks.reserve(peers.size());
  for (const PeerId& peer : peers) {
    tasks.push_back(ask_holder(&core, peer, cid, limit, stop));
  }
  const auto answers = co_await gather(std::move(tasks));
  co_return HeldBy(answers.begin(), answers.end());
}

Task<Result<Step::Kind>> Orchestrator::move_one(api::Pin pin, PeerId leaving,
                                                std::shared_ptr<const ClusterView> view,
                                                StopToken stop) {
  Step step = next_step(pin, leaving, {}, *view);
  if (step.kind == Step::Kind::Wait) {
    HeldBy answers =
        co_await ask_holders(core_, pin.cid, others_alive(pin, leaving, *view), kAskLimit, stop);
    step = next_step(pin, leaving, answers, *view);
  }
  if (step.kind == Step::Kind::Add) {
    core_.placements.placed(pin.allocations.items, step.allocations, view->free_space());
  }
  if (step.kind == Step::Kind::Add || step.kind == Step::Kind::Remove) {
    api::Pin changed = pin;
    changed.allocations.items = std::move(step.allocations);
    changed.allocations.present = true;
    // The age of a pin decides how it is queued; a move is news only to those that get it.
    changed.timestamp = step.kind == Step::Kind::Add ? view->now : pin.timestamp;
    const Result<bool> written =
        co_await core_.parts.pinset.replace(std::move(pin), std::move(changed));
    if (!written) {
      co_return fail(written.error());
    }
    if (!*written) {
      co_return Step::Kind::Wait;  // somebody changed it meanwhile: looked at again later
    }
  }
  co_return step.kind;
}

bool Orchestrator::on_draining(const api::Pin& pin) const {
  const auto& peers = pin.allocations.items;
  return std::any_of(peers.begin(), peers.end(), [this](const PeerId& peer) {
    return core_.states.mode_of(peer) == PeerMode::Draining;
  });
}

Task<Result<bool>> Orchestrator::drain_pass(PeerId leaving, bool finish, StopToken stop) {
  size_t rank = 0;
  {
    const std::lock_guard lock(mutex_);
    const Drain& drain = drains_[leaving];
    if (core_.now() < drain.next_pass) {
      co_return false;
    }
    rank = drain.rank;
  }
  const auto look = [this, &leaving] {
    auto view = std::make_shared<ClusterView>(core_.view());
    // The peer that leaves may be switched off at any moment, so others move its pins if there are
    // any that can.
    if (view->movers.size() > 1) {
      std::erase(view->movers, leaving);
    }
    return view;
  };
  auto view = look();
  if (!view->may_move()) {
    co_return false;
  }
  const auto snapshot = core_.snapshot();
  Drain count;
  bool did = false;
  Cid after;
  while (count.waiting < kMaxWaiting && !stop.stop_requested()) {
    auto read = [this, leaving, after, snapshot]() -> Result<std::vector<api::Pin>> {
      TRY(const auto cids, core_.parts.pinset.allocated_to(leaving, after, kPage, snapshot));
      return core_.pins_of(cids, snapshot);
    };
    Result<std::vector<api::Pin>> looked = co_await run_on(core_.parts.disk, std::move(read));
    CO_TRY(auto pins, std::move(looked));
    if (pins.empty()) {
      break;
    }
    after = pins.back().cid;
    std::vector<Task<Result<Step::Kind>>> tasks;
    for (api::Pin& pin : pins) {
      // One that is being drained has its new places, `leaving` perhaps among them, for itself.
      if (finish && (!crdt::crowded(pin) || on_draining(pin))) {
        continue;
      }
      if (rank_of(view->movers, view->self, pin.cid) > rank) {
        ++count.others;
        continue;
      }
      tasks.push_back(move_one(std::move(pin), leaving, view, stop));
    }
    const size_t asked = tasks.size();
    const auto outcomes = co_await gather(std::move(tasks));
    for (const auto& outcome : outcomes) {
      if (!outcome) {
        co_return fail(outcome.error());
      }
      did = did || *outcome == Step::Kind::Add || *outcome == Step::Kind::Remove;
      count.waiting += *outcome == Step::Kind::Add || *outcome == Step::Kind::Wait ? 1 : 0;
      count.blocked += *outcome == Step::Kind::Blocked ? 1 : 0;
      count.moved += *outcome == Step::Kind::Remove ? 1 : 0;
    }
    const Duration wait = move_rate_.take(asked, core_.parts.clock.steady());
    if (wait > Duration::zero()) {
      const Status slept = co_await sleep_for(wait, stop);
      if (!slept) {
        break;
      }
    }
    view = look();
    if (finish == (core_.states.mode_of(leaving) == PeerMode::Draining) || !view->may_move()) {
      co_return did;  // taken back, or ordered anew, or cut off
    }
  }
  const std::lock_guard lock(mutex_);
  Drain& drain = drains_[leaving];
  drain.pause = did || drain.pause == Duration::zero()
                    ? kShortPause
                    : std::min<Duration>(drain.pause * 2, kLongPause);
  drain.rank = count.others > 0 && count.waiting == 0 && !did ? rank + 1 : 0;
  if (drain.rank > 0) {
    drain.pause = step_delay();
  }
  drain.next_pass = core_.now().plus(drain.pause);
  drain.others = count.others;
  drain.waiting = count.waiting;
  drain.blocked = count.blocked;
  drain.moved += count.moved;
  drain.over = finish && !did && count.waiting == 0 && count.others == 0;
  co_return did;
}

Task<Result<DrainStatus>> Orchestrator::drain_status(PeerId peer) {
  DrainStatus out;
  out.peer = peer;
  out.mode = core_.states.mode_of(peer);
  const std::vector<PeerId> members = core_.members();
  out.alive = std::binary_search(members.begin(), members.end(), peer);
  auto count = [this, peer]() -> Result<size_t> {
    constexpr size_t kAtOnce = 4096;
    const auto snapshot = core_.snapshot();
    size_t n = 0;
    Cid after;
    while (n < DrainStatus::kCountLimit) {
      TRY(const auto cids, core_.parts.pinset.allocated_to(peer, after, kAtOnce, snapshot));
      n += cids.size();
      if (cids.size() < kAtOnce) {
        break;
      }
      after = cids.back();
    }
    return n;
  };
  CO_TRY(out.remaining, co_await run_on(core_.parts.disk, std::move(count)));
  const std::lock_guard lock(mutex_);
  if (const auto found = drains_.find(peer); found != drains_.end()) {
    out.waiting = found->second.waiting;
    out.blocked = found->second.blocked;
    out.moved = found->second.moved;
  }
  co_return out;
}

}  // namespace ica::cluster
