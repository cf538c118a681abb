// Statuses of one CID.
#include "agent/cluster/core.h"
#include "common/base/async.h"

namespace ica::cluster {
namespace {

Task<Result<api::PinInfo>> own_status_in(CorePtr core, Cid cid, StopToken stop) {
  CO_TRY(auto tracked, co_await core->parts.tracker.check(std::move(cid), std::move(stop)));
  co_return core->to_info(std::move(tracked));
}

Task<Result<api::PinInfo>> own_recover_in(CorePtr core, Cid cid, StopToken stop) {
  CO_TRY(auto pin, core->pin_get(cid));
  if (pin.type == api::PinType::Meta) {
    // A sharded upload is held by its parts.
    CO_TRY(auto parts, co_await shards_of(core, pin, stop));
    for (Cid& part : parts) {
      CO_TRY(auto recovered, co_await core->parts.tracker.recover(std::move(part)));
      (void)recovered;
    }
  }
  CO_TRY(auto tracked, co_await core->parts.tracker.recover(std::move(cid)));
  co_return core->to_info(std::move(tracked));
}

enum class Question { Status, Recover };

Task<Result<api::PinInfo>> ask_about(CorePtr core, Question question, PeerId peer, Cid cid,
                                     StopToken stop) {
  const bool own = peer == core->parts.self;
  if (question == Question::Status) {
    if (own) {
      co_return co_await own_status_in(core, cid, stop);
    }
    co_return co_await core->parts.peers.status(peer, cid, kPeerLimit, stop);
  }
  if (own) {
    co_return co_await own_recover_in(core, cid, stop);
  }
  co_return co_await core->parts.peers.recover(peer, cid, kPeerLimit, stop);
}

Task<Result<api::GlobalPinInfo>> ask_members(CorePtr core, Question question, Cid cid,
                                             StopToken stop) {
  const Time now = core->now();
  const bool follower = core->cluster().follower_mode;
  const std::vector<PeerId> members =
      follower ? std::vector<PeerId>{core->parts.self} : core->members();
  auto pin = core->pin_get(cid);
  if (!pin) {
    if (pin.error().code() != Code::NotFound) {
      co_return fail(std::move(pin.error()));
    }
    // Known without asking anybody.
    api::GlobalPinInfo out;
    out.cid = cid;
    out.allocations.present = true;
    out.created = now;
    for (const PeerId& peer : members) {
      out.peer_map.emplace(peer.text(), core->short_info(peer, api::TrackerStatus::Unpinned, now));
    }
    co_return out;
  }

  std::vector<PeerId> asked = members;
  api::GlobalPinInfo out;
  take_pin(out, api::Pin(*pin));
  if (!follower && !pin->everywhere()) {
    asked = pin->allocations.items;
    for (const PeerId& peer : members) {
      if (!pin->allocated_to(peer)) {
        out.peer_map.emplace(peer.text(), core->short_info(peer, api::TrackerStatus::Remote, now));
      }
    }
  }
  std::vector<Task<Result<api::PinInfo>>> tasks;
  tasks.reserve(asked.size());
  for (const PeerId& peer : asked) {
    tasks.push_back(ask_about(core, question, peer, cid, stop));
  }
  std::vector<Result<api::PinInfo>> answers = co_await gather(std::move(tasks));
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]) {
      out.peer_map.insert_or_assign(asked[i].text(), std::move(answers[i]->info));
    } else if (answers[i].error().code() != Code::PermissionDenied) {
      api::PinInfoShort info = core->short_info(asked[i], api::TrackerStatus::ClusterError, now);
      info.error = answers[i].error().message();
      out.peer_map.insert_or_assign(asked[i].text(), std::move(info));
    }
  }
  co_return out;
}

Task<Result<api::GlobalPinInfo>> status_local_in(CorePtr core, Cid cid, StopToken stop) {
  CO_TRY(auto info, co_await own_status_in(core, std::move(cid), std::move(stop)));
  co_return api::to_global(info);
}

Task<Result<api::GlobalPinInfo>> recover_local_in(CorePtr core, Cid cid, StopToken stop) {
  CO_TRY(auto info, co_await own_recover_in(core, std::move(cid), std::move(stop)));
  co_return api::to_global(info);
}

}  // namespace

void complete(api::Pin& pin, api::TrackerStatus status, Time since) {
  switch (status) {
    case api::TrackerStatus::UnpinQueued:
    case api::TrackerStatus::Unpinning:
    case api::TrackerStatus::UnpinError:
      pin.allocations.present = true;
      if (pin.timestamp.is_zero()) {
        pin.timestamp = since;
      }
      break;
    default:
      break;
  }
}

void take_local(api::PinInfoShort& info, tracker::LocalStatus&& local) {
  info.status = local.status;
  info.timestamp = local.timestamp;
  info.error = std::move(local.error);
  info.attempt_count = local.attempt_count;
  info.priority_pin = local.priority;
}

api::PinInfoShort Cluster::Core::short_info(const PeerId& peer, api::TrackerStatus status,
                                            Time when) const {
  const monitor::PingValue ping = parts.monitor.ping_of(peer);
  api::PinInfoShort info;
  info.peername = ping.peername;
  info.ipfs_peer_id = ping.ipfs_id;
  info.ipfs_peer_addresses = ping.ipfs_addresses;
  info.status = status;
  info.timestamp = when;
  return info;
}

api::PinInfoShort Cluster::Core::own_info() const {
  api::PinInfoShort info = short_info(parts.self, api::TrackerStatus::Undefined, Time());
  info.peername = cluster().peername;
  return info;
}

api::PinInfo Cluster::Core::to_info(tracker::TrackedPin tracked) const {
  return to_info(std::move(tracked), own_info());
}

api::PinInfo Cluster::Core::to_info(tracker::TrackedPin tracked, api::PinInfoShort own) const {
  complete(tracked.pin, tracked.local.status, tracked.local.timestamp);
  api::PinInfo out;
  out.peer = parts.self;
  take_pin(out, std::move(tracked.pin));
  out.info = std::move(own);
  take_local(out.info, std::move(tracked.local));
  return out;
}

Result<tracker::LocalStatus> Cluster::own_detail(const Cid& cid) const {
  TRY(auto tracked, core_->parts.tracker.status(cid));
  return std::move(tracked.local);
}

Task<Result<api::GlobalPinInfo>> Cluster::status(Cid cid, StopToken stop) {
  return ask_members(core_, Question::Status, std::move(cid), std::move(stop));
}

Task<Result<api::GlobalPinInfo>> Cluster::status_local(Cid cid, StopToken stop) {
  return status_local_in(core_, std::move(cid), std::move(stop));
}

Task<Result<api::GlobalPinInfo>> Cluster::recover(Cid cid, StopToken stop) {
  return ask_members(core_, Question::Recover, std::move(cid), std::move(stop));
}

Task<Result<api::GlobalPinInfo>> Cluster::recover_local(Cid cid, StopToken stop) {
  return recover_local_in(core_, std::move(cid), std::move(stop));
}

Task<Result<api::PinInfo>> Cluster::own_status(Cid cid, StopToken stop) {
  return own_status_in(core_, std::move(cid), std::move(stop));
}

api::PinInfoShort Cluster::own_info() const {
  return core_->own_info();
}

Task<Result<api::PinInfo>> Cluster::own_recover(Cid cid, StopToken stop) {
  return own_recover_in(core_, std::move(cid), std::move(stop));
}

}  // namespace ica::cluster
