#include "agent/allocator/allocator.h"
#include "agent/cluster/core.h"
#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/read_ahead.h"
#include "common/crypto/random.h"

namespace ica::cluster {
namespace {

// The first page is small so that the first byte leaves at once.
constexpr size_t kFirstPage = 32;
constexpr size_t kPage = 256;

// Pins of one snapshot in key order, a page at a time.
class PinReader {
 public:
  PinReader(CorePtr core, PinRange range, StopToken stop)
      : core_(std::move(core)),
        range_(std::move(range)),
        stop_(std::move(stop)),
        snapshot_(core_->snapshot()) {}

  Result<std::vector<api::Pin>> operator()() {
    while (!stop_.stop_requested()) {
      TRY(auto page, read());
      if (page.empty()) {
        return page;
      }
      limit_ = kPage;
      range_.after = page.back().cid;
      std::erase_if(page, [this](const api::Pin& pin) {
        return (static_cast<uint64_t>(pin.type) & range_.types) == 0;
      });
      if (!page.empty()) {
        return page;
      }
    }
    return fail(Code::Cancelled, "context canceled");
  }

 private:
  Result<std::vector<api::Pin>> read() const {
    const crdt::Pinset& pinset = core_->parts.pinset;
    if (!range_.name) {
      return pinset.page(range_.after, limit_, snapshot_);
    }
    std::vector<api::Pin> out;
    TRY(const auto cids, pinset.named(*range_.name, range_.after, limit_, snapshot_));
    for (const Cid& cid : cids) {
      TRY(auto pin, pinset.get(cid, snapshot_));
      if (!pin) {
        return fail(Code::Corrupt, "the index of names holds {}, the pinset does not", cid);
      }
      out.push_back(std::move(*pin));
    }
    return out;
  }

  CorePtr core_;
  PinRange range_;
  StopToken stop_;
  store::SnapshotPtr snapshot_;
  size_t limit_ = kFirstPage;
};

class PinStream final : public Stream<api::Pin> {
 public:
  PinStream(CorePtr core, PinRange range, StopToken stop)
      : core_(std::move(core)), range_(std::move(range)), stop_(std::move(stop)) {}

  Task<Result<std::vector<api::Pin>>> next() override {
    if (!pages_) {
      pages_.emplace(core_->parts.disk, PinReader(core_, std::move(range_), stop_), stop_);
    }
    co_return co_await pages_->next();
  }

 private:
  const CorePtr core_;
  PinRange range_;
  const StopToken stop_;
  std::optional<ReadAhead<api::Pin>> pages_;
};

Status check_type(const api::Pin& pin) {
  switch (pin.type) {
    case api::PinType::Data:
      if (pin.reference.defined()) {
        return fail(Code::InvalidArgument, "data pins should not reference other pins");
      }
      return {};
    case api::PinType::Shard:
      if (pin.max_depth != 1) {
        return fail(Code::InvalidArgument, "must pin shards go depth 1");
      }
      return {};
    case api::PinType::ClusterDag:
      if (pin.max_depth != 0) {
        return fail(Code::InvalidArgument, "must pin roots directly");
      }
      if (!pin.reference.defined()) {
        return fail(Code::InvalidArgument, "clusterDAG pins should reference a Meta pin");
      }
      return {};
    case api::PinType::Meta:
      if (!pin.allocations.items.empty()) {
        return fail(Code::InvalidArgument, "meta pin should not specify allocations");
      }
      if (!pin.reference.defined()) {
        return fail(Code::InvalidArgument, "metaPins should reference a ClusterDAG");
      }
      return {};
    case api::PinType::Bad:
      break;
  }
  return fail(Code::InvalidArgument, "unrecognized pin type");
}

Status check_pin(const Cluster::Core& core, api::Pin& pin, const api::Pin* existing) {
  TRY_VOID(set_replication(core.cluster(), pin));
  if (!pin.options.expire_at.is_zero() && pin.options.expire_at < core.now()) {
    return fail(Code::Internal, "pin.ExpireAt set before current time");
  }
  if (existing != nullptr) {
    if (existing->type != pin.type) {
      return fail(Code::Internal,
                  "cannot repin CID with different tracking method, clear state with pin rm to "
                  "proceed. New: {}. Was: {}",
                  api::to_string(pin.type), api::to_string(existing->type));
    }
    if (existing->options.mode == api::PinMode::Recursive &&
        pin.options.mode != api::PinMode::Recursive) {
      return fail(Code::Internal,
                  "cannot repin a CID which is already pinned in recursive mode (new pin is pinned "
                  "as {}). Unpin it first.",
                  api::to_string(pin.options.mode));
    }
  }
  return check_type(pin);
}

// pin-update: the stored pin of another CID, with its allocations, under the new CID.
Task<Result<api::Pin>> pin_update(CorePtr core, api::Pin wish) {
  CO_TRY(auto pin, core->pin_get(wish.options.pin_update));
  if (pin.type != api::PinType::Data) {
    co_return fail(Code::Internal, "this pin type cannot be updated");
  }
  pin.cid = wish.cid;
  pin.options.pin_update = wish.options.pin_update;
  pin.timestamp = core->now();
  if (!wish.options.name.empty()) {
    pin.options.name = wish.options.name;
  }
  if (!wish.options.expire_at.is_zero() && wish.options.expire_at > core->now()) {
    pin.options.expire_at = wish.options.expire_at;
  }
  CO_TRY_VOID(co_await core->parts.pinset.put(pin));
  co_return pin;
}

Task<Result<api::Pin>> unpin_in(CorePtr core, Cid cid, StopToken stop) {
  if (core->cluster().follower_mode) {
    co_return fail(Code::Internal, "{}", kFollower);
  }
  CO_TRY(auto pin, core->pin_get(cid));
  switch (pin.type) {
    case api::PinType::Data:
      break;
    case api::PinType::Shard:
      co_return fail(Code::Internal,
                     "cannot unpin a shard directly. Unpin content root CID instead");
    case api::PinType::ClusterDag:
      co_return fail(Code::Internal,
                     "cannot unpin a Cluster DAG directly. Unpin content root CID instead");
    case api::PinType::Meta: {
      CO_TRY(auto parts, co_await shards_of(core, pin, stop));
      for (const Cid& part : parts) {
        CO_TRY(const bool removed, co_await core->parts.pinset.remove(part));
        (void)removed;  // another root may have shared and removed it
      }
      break;
    }
    case api::PinType::Bad:
      co_return fail(Code::Internal, "unrecognized pin type");
  }
  CO_TRY(const bool removed, co_await core->parts.pinset.remove(cid));
  if (!removed) {
    co_return fail(Code::NotFound, "{}", kNotPinned);  // somebody was faster
  }
  co_return pin;
}

// /ipfs/<cid> and /ipld/<cid> alone name their CID; everything else asks Kubo.
Task<Result<Cid>> resolve(CorePtr core, std::string path, StopToken stop) {
  const std::string_view view = path;
  if (view.starts_with("/ipfs/") || view.starts_with("/ipld/")) {
    const std::string_view rest = view.substr(6);
    if (rest.find('/') == std::string_view::npos) {
      if (auto cid = Cid::parse(rest)) {
        co_return std::move(*cid);
      }
    }
  }
  co_return co_await core->parts.connector.resolve(path, stop);
}

Task<Result<api::Pin>> pin_path_in(CorePtr core, std::string path, api::PinOptions options,
                                   StopToken stop) {
  CO_TRY(auto cid, co_await resolve(core, std::move(path), stop));
  api::Pin pin;
  pin.cid = std::move(cid);
  pin.options = std::move(options);
  pin.max_depth =
      pin.options.mode == api::PinMode::Direct ? api::kMaxDepthDirect : api::kMaxDepthRecursive;
  co_return co_await pin_in(core, std::move(pin));
}

Task<Result<api::Pin>> unpin_path_in(CorePtr core, std::string path, StopToken stop) {
  CO_TRY(auto cid, co_await resolve(core, std::move(path), stop));
  co_return co_await unpin_in(core, std::move(cid), stop);
}

Task<Result<size_t>> remove_expired_in(CorePtr core, StopToken stop) {
  constexpr size_t kAtOnce = 1000;
  // The nearest trusted peer acts first; each further one gives those before it so long.
  constexpr Duration kExpiryStep = std::chrono::seconds(30);
  size_t removed = 0;
  if (core->cluster().follower_mode) {
    co_return removed;
  }
  std::vector<PeerId> trusted;
  for (const PeerId& peer : core->members()) {
    if (core->trusted(peer)) {
      trusted.push_back(peer);
    }
  }
  auto read = [core] { return core->parts.pinset.expired(core->now(), kAtOnce); };
  CO_TRY(auto cids, co_await run_on(core->parts.disk, std::move(read)));
  for (const Cid& cid : cids) {
    if (stop.stop_requested()) {
      break;
    }
    const auto found = core->pin_get(cid);
    if (!found) {
      continue;  // somebody was faster
    }
    const Duration late = core->now().since(found->options.expire_at);
    if (late < kExpiryStep * static_cast<int64_t>(rank_of(trusted, core->parts.self, cid))) {
      continue;
    }
    auto pin = co_await unpin_in(core, cid, stop);
    if (pin) {
      ++removed;
      log_info("cluster", "unpinned {} because it expired", cid);
    } else if (pin.error().code() != Code::NotFound) {
      log_error("cluster", "cannot unpin expired {}: {}", cid, pin.error().message());
    }
  }
  co_return removed;
}

}  // namespace

Result<std::vector<api::Pin>> Cluster::Core::pins_of(const std::vector<Cid>& cids,
                                                     const store::SnapshotPtr& snapshot) const {
  std::vector<api::Pin> pins;
  pins.reserve(cids.size());
  for (const Cid& cid : cids) {
    TRY(auto pin, parts.pinset.get(cid, snapshot));
    if (pin) {
      pins.push_back(std::move(*pin));
    }
  }
  return pins;
}

Result<api::Pin> Cluster::Core::pin_get(const Cid& cid) const {
  TRY(auto found, parts.pinset.get(cid));
  if (!found) {
    return fail(Code::NotFound, "{}", kNotPinned);
  }
  return std::move(*found);
}

std::function<bool(const PeerId&)> Cluster::Core::eligible() const {
  if (cluster().pin_only_on_trusted_peers) {
    return [this](const PeerId& peer) { return trusted(peer); };
  }
  if (cluster().pin_only_on_untrusted_peers) {
    return [this](const PeerId& peer) { return !trusted(peer); };
  }
  return nullptr;
}

Status set_replication(const config::Cluster& settings, api::Pin& pin) {
  api::PinOptions& options = pin.options;
  if (options.replication_factor_min == 0) {
    options.replication_factor_min = settings.replication_factor_min;
  }
  if (options.replication_factor_max == 0) {
    options.replication_factor_max = settings.replication_factor_max;
  }
  if (pin.everywhere()) {
    pin.allocations.items.clear();
  }
  return api::check_replication_factors(options.replication_factor_min,
                                        options.replication_factor_max);
}

namespace {

Result<std::vector<PeerId>> allocate_now(Cluster::Core& core, const api::Pin& pin,
                                         const api::Pin* existing) {
  const auto& allocate_by = core.parts.config.allocator.allocate_by;
  allocator::Request request;
  request.replication_min = pin.options.replication_factor_min;
  request.replication_max = pin.options.replication_factor_max;
  request.priority = pin.options.user_allocations.items;
  // What is being added has no CID yet.
  const Bytes spread = pin.cid.defined() ? pin.cid.bytes() : random_bytes(8);
  request.spread = spread;
  if (existing != nullptr) {
    request.current = existing->allocations.items;
  }
  // A closed peer keeps what it has and gets nothing new.
  request.eligible = [&core, allowed = core.eligible(), existing](const PeerId& peer) {
    return (!allowed || allowed(peer)) &&
           (!core.closed(peer) || (existing != nullptr && existing->allocated_to(peer)));
  };
  allocator::MetricsSet metrics;
  if (!pin.everywhere()) {
    const std::vector<PeerId> members = core.members();
    for (const std::string& name : allocate_by) {
      auto& list = metrics[name] = core.parts.monitor.latest(name);
      std::erase_if(list, [&members](const api::Metric& metric) {
        return !std::binary_search(members.begin(), members.end(), metric.peer);
      });
      if (name == kFreeSpace) {
        core.placements.discount(list);
      }
    }
  }
  TRY(auto peers, allocator::allocate(request, metrics, allocate_by));
  if (const auto space = metrics.find(std::string(kFreeSpace)); space != metrics.end()) {
    core.placements.placed(request.current, peers, space->second);
  }
  return peers;
}

}  // namespace

Task<Result<std::vector<PeerId>>> allocate(CorePtr core, const api::Pin& pin,
                                           const api::Pin* existing) {
  constexpr auto kPause = std::chrono::milliseconds(50);
  const auto until = core->started + core->parts.settle;
  while (true) {
    auto peers = allocate_now(*core, pin, existing);
    if (peers) {
      co_return peers;
    }
    if (peers.error().code() != Code::Conflict || std::chrono::steady_clock::now() >= until) {
      log_warn("cluster", "cannot allocate {}: {}",
               pin.cid.defined() ? pin.cid.text() : "what is being added", peers.error().message());
      co_return peers;
    }
    const Status slept = co_await sleep_for(kPause, core->parts.stopping);
    if (!slept) {
      co_return fail(slept.error());
    }
  }
}

Task<Result<api::Pin>> pin_in(CorePtr core, api::Pin pin) {
  if (core->cluster().follower_mode) {
    co_return fail(Code::Internal, "{}", kFollower);
  }
  if (!pin.cid.defined()) {
    co_return fail(Code::InvalidArgument, "bad pin object");
  }
  if (pin.options.pin_update.defined() && pin.options.pin_update != pin.cid) {
    co_return co_await pin_update(core, std::move(pin));
  }
  CO_TRY(auto existing, core->parts.pinset.get(pin.cid));
  const api::Pin* before = existing ? &*existing : nullptr;
  CO_TRY_VOID(check_pin(*core, pin, before));
  pin.timestamp = core->now();
  // An upload has chosen its peers already, and the blocks are there.
  if (pin.type != api::PinType::Meta && pin.allocations.items.empty()) {
    CO_TRY(pin.allocations.items, co_await allocate(core, pin, before));
  }
  pin.allocations.present = true;
  if (before != nullptr && api::encode_pin(*before) == api::encode_pin(pin)) {
    co_return pin;  // said already, within this second
  }
  CO_TRY_VOID(co_await core->parts.pinset.put(pin));
  co_return pin;
}

Task<Result<api::Pin>> Cluster::pin(api::Pin pin) {
  return pin_in(core_, std::move(pin));
}

Task<Result<Cid>> Cluster::resolve(std::string path, StopToken stop) {
  return cluster::resolve(core_, std::move(path), std::move(stop));
}

Task<Result<api::Pin>> Cluster::pin_path(std::string path, api::PinOptions options,
                                         StopToken stop) {
  return pin_path_in(core_, std::move(path), std::move(options), std::move(stop));
}

Task<Result<api::Pin>> Cluster::unpin(Cid cid, StopToken stop) {
  return unpin_in(core_, std::move(cid), std::move(stop));
}

Task<Result<api::Pin>> Cluster::unpin_path(std::string path, StopToken stop) {
  return unpin_path_in(core_, std::move(path), std::move(stop));
}

crdt::PinsetInfo Cluster::pinset_info() const {
  return core_->parts.pinset.info();
}

std::vector<crdt::PeerPinset> Cluster::peer_pinsets() const {
  return core_->parts.peer_pinsets ? core_->parts.peer_pinsets() : std::vector<crdt::PeerPinset>();
}

Result<api::Pin> Cluster::pin_get(const Cid& cid) const {
  return core_->pin_get(cid);
}

StreamPtr<api::Pin> Cluster::pins(PinRange range, StopToken stop) {
  return std::make_unique<PinStream>(core_, std::move(range), std::move(stop));
}

Task<Result<size_t>> Cluster::remove_expired(StopToken stop) {
  return remove_expired_in(core_, std::move(stop));
}

}  // namespace ica::cluster
