#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "agent/cluster/cluster.h"
#include "common/base/async.h"

// The parts below the use cases, in memory, for the tests of cluster and rest.
namespace ica::test {

inline PeerId peer_id(int n) {
  static constexpr const char* kIds[] = {"12D3KooWEX13G4y98rdkxEQ3JeZ2sQHXNW9Np2QDf8z3nXXQR2w3",
                                         "12D3KooWEMFHt5b6UWHRrNKqZxS4tvEY1REivaeA7cmPsYGbuuLz",
                                         "12D3KooWR5uGu5jwK5sg7jYtEqgbMWWvWqpqcoPpMKdxcCJ5EoXN"};
  return PeerId::parse(kIds[n]).value();
}

// Some CIDs of both versions; any number of them.
inline Cid cid_number(int n) {
  Bytes hash = "\x12\x20";
  hash += std::string(28, 'c');
  for (int i = 3; i >= 0; --i) {
    hash.push_back(static_cast<char>(n >> (8 * i) & 0xff));
  }
  return n % 2 == 0 ? Cid::make_v0(hash) : Cid::make_v1(multicodec::kRaw, hash);
}

class FakePinset final : public crdt::Pinset {
 public:
  Task<Status> put(api::Pin pin) override {
    if (fail_writes) {
      co_return fail(*fail_writes);
    }
    const Cid cid = pin.cid;
    // What comes back is what the state's encoding keeps.
    pins.insert_or_assign(cid, api::decode_pin(cid, api::encode_pin(pin)).value());
    co_return Status();
  }
  Task<Result<bool>> replace(api::Pin before, api::Pin after) override {
    if (before_replace) {
      before_replace(after.cid);
    }
    const auto found = pins.find(after.cid);
    if (found == pins.end() || api::encode_pin(found->second) != api::encode_pin(before)) {
      co_return false;
    }
    CO_TRY_VOID(co_await put(std::move(after)));
    ++writes;
    co_return true;
  }
  Task<Result<bool>> remove(Cid cid) override {
    if (fail_writes) {
      co_return fail(*fail_writes);
    }
    co_return pins.erase(cid) > 0;
  }
  Result<std::optional<api::Pin>> get(const Cid& cid, const store::SnapshotPtr&) const override {
    const auto found = pins.find(cid);
    return found == pins.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::vector<api::Pin>> page(const Cid& after, size_t limit,
                                     const store::SnapshotPtr&) const override {
    std::vector<api::Pin> out;
    auto at = after.defined() ? pins.upper_bound(after) : pins.begin();
    for (; at != pins.end() && out.size() < limit; ++at) {
      if (fail_page_at && at->first == *fail_page_at) {
        return fail(Code::Corrupt, "record of {} is damaged", at->first);
      }
      out.push_back(at->second);
    }
    return out;
  }
  Result<std::vector<Cid>> expired(Time now, size_t limit) const override {
    std::vector<Cid> out;
    for (const auto& [cid, pin] : pins) {
      if (pin.expired_at(now) && out.size() < limit) {
        out.push_back(cid);
      }
    }
    return out;
  }
  Result<std::optional<Time>> next_expiry() const override {
    std::optional<Time> first;
    for (const auto& [cid, pin] : pins) {
      if (!pin.options.expire_at.is_zero() && (!first || pin.options.expire_at < *first)) {
        first = pin.options.expire_at;
      }
    }
    return first;
  }
  Result<std::vector<Cid>> allocated_to(const PeerId& peer, const Cid& after, size_t limit,
                                        const store::SnapshotPtr&) const override {
    std::vector<Cid> out;
    auto at = after.defined() ? pins.upper_bound(after) : pins.begin();
    for (; at != pins.end() && out.size() < limit; ++at) {
      ++index_reads;
      const auto& holders = at->second.allocations.items;
      if (std::find(holders.begin(), holders.end(), peer) != holders.end()) {
        out.push_back(at->first);
      }
    }
    return out;
  }
  Result<std::vector<Cid>> crowded(const Cid& after, size_t limit,
                                   const store::SnapshotPtr&) const override {
    std::vector<Cid> out;
    auto at = after.defined() ? pins.upper_bound(after) : pins.begin();
    for (; at != pins.end() && out.size() < limit; ++at) {
      if (crdt::crowded(at->second)) {
        out.push_back(at->first);
      }
    }
    return out;
  }
  Result<std::vector<Cid>> named(std::string_view name, const Cid& after, size_t limit,
                                 const store::SnapshotPtr&) const override {
    std::vector<Cid> out;
    auto at = after.defined() ? pins.upper_bound(after) : pins.begin();
    for (; at != pins.end() && out.size() < limit; ++at) {
      if (at->second.options.name == name) {
        out.push_back(at->first);
      }
    }
    return out;
  }
  Result<std::vector<PeerId>> allocated_peers() const override {
    std::set<PeerId> out;
    for (const auto& [cid, pin] : pins) {
      out.insert(pin.allocations.items.begin(), pin.allocations.items.end());
    }
    return std::vector<PeerId>(out.begin(), out.end());
  }
  crdt::PinsetInfo info() const override { return {}; }
  void observe(crdt::StateObserver&) override {}

  std::map<Cid, api::Pin> pins;
  std::optional<Error> fail_writes;
  std::optional<Cid> fail_page_at;
  mutable size_t index_reads = 0;
  size_t writes = 0;                               // by replace
  std::function<void(const Cid&)> before_replace;  // somebody else's change
};

class FakeCursor final : public tracker::StatusCursor {
 public:
  explicit FakeCursor(std::vector<tracker::TrackedPin> items) : items_(std::move(items)) {}
  Result<std::vector<tracker::TrackedPin>> next(size_t limit) override {
    std::vector<tracker::TrackedPin> out;
    for (; position_ < items_.size() && out.size() < limit; ++position_) {
      out.push_back(items_[position_]);
    }
    return out;
  }

 private:
  std::vector<tracker::TrackedPin> items_;
  size_t position_ = 0;
};

// Everything in the pinset is pinned unless `local` says otherwise.
class FakeTracker final : public tracker::Tracker {
 public:
  FakeTracker(const FakePinset& pinset, PeerId self) : pinset_(pinset), self_(std::move(self)) {}

  Result<tracker::TrackedPin> status(const Cid& cid) const override {
    tracker::TrackedPin out;
    const auto pin = pinset_.pins.find(cid);
    const auto known = local.find(cid);
    if (pin == pinset_.pins.end()) {
      out.pin.cid = cid;
      out.local.timestamp = Time::from_unix(1'800'000'000);
      if (known != local.end()) {
        out.local = known->second;
      }
      return out;
    }
    out.pin = pin->second;
    if (known != local.end()) {
      out.local = known->second;
      return out;
    }
    out.local.timestamp = pin->second.timestamp;
    out.local.status = pin->second.type == api::PinType::Meta ? api::TrackerStatus::Sharded
                       : pin->second.everywhere() || pin->second.allocated_to(self_)
                           ? api::TrackerStatus::Pinned
                           : api::TrackerStatus::Remote;
    return out;
  }
  Task<Result<tracker::TrackedPin>> check(Cid cid, StopToken) override {
    auto item = status(cid).value();
    if (kubo_error && item.local.status == api::TrackerStatus::Pinned) {
      item.local.status = api::TrackerStatus::ClusterError;
      item.local.error = *kubo_error;
    }
    co_return item;
  }
  std::unique_ptr<tracker::StatusCursor> status_all(api::StatusFilter filter) const override {
    std::vector<tracker::TrackedPin> items;
    for (const auto& [cid, pin] : pinset_.pins) {
      auto item = status(cid).value();
      if (api::matches(filter, item.local.status)) {
        items.push_back(std::move(item));
      }
    }
    return std::make_unique<FakeCursor>(std::move(items));
  }
  Task<Result<tracker::TrackedPin>> recover(Cid cid) override {
    auto item = status(cid).value();
    if (needs_recovery(item.local.status)) {
      local[cid].status = api::TrackerStatus::PinQueued;
      local[cid].error.clear();
    }
    co_return status(cid);
  }
  Task<Status> recover_all(std::function<Task<Status>(std::vector<tracker::TrackedPin>)> on_batch,
                           StopToken) override {
    std::vector<Cid> all;
    for (const auto& [cid, item] : local) {
      if (needs_recovery(item.status)) {
        all.push_back(cid);
      }
    }
    for (const Cid& cid : all) {
      Cid copy = cid;
      auto item = co_await recover(std::move(copy));
      std::vector<tracker::TrackedPin> batch;
      batch.push_back(std::move(*item));
      CO_TRY_VOID(co_await on_batch(std::move(batch)));
    }
    co_return Status();
  }
  Task<Status> reconcile(StopToken) override { co_return Status(); }
  tracker::TrackerCounts counts() const override { return {}; }

  std::map<Cid, tracker::LocalStatus> local;
  std::optional<std::string> kubo_error;

 private:
  static bool needs_recovery(api::TrackerStatus status) {
    return status == api::TrackerStatus::PinError || status == api::TrackerStatus::UnpinError ||
           status == api::TrackerStatus::UnexpectedlyUnpinned;
  }
  const FakePinset& pinset_;
  const PeerId self_;
};

// Takes no block before it is stopped.
class StuckBlockSink final : public ipfs::BlockSink {
 public:
  explicit StuckBlockSink(StopToken stop) : stop_(std::move(stop)) {}
  Task<Status> write(ipfs::BlockToPut) override {
    co_return co_await sleep_for(std::chrono::hours(1), stop_);
  }
  Task<Status> finish() override { co_return co_await sleep_for(std::chrono::hours(1), stop_); }

 private:
  const StopToken stop_;
};

// Hands each block to a function.
class FakeBlockSink final : public ipfs::BlockSink {
 public:
  explicit FakeBlockSink(std::function<void(ipfs::BlockToPut)> keep) : keep_(std::move(keep)) {}
  Task<Status> write(ipfs::BlockToPut block) override {
    keep_(std::move(block));
    co_return Status();
  }
  Task<Status> finish() override { co_return Status(); }

 private:
  const std::function<void(ipfs::BlockToPut)> keep_;
};

class FakeKubo : public ipfs::Connector {
 public:
  Task<Result<api::IpfsId>> id(StopToken) override {
    if (down) {
      co_return refused("id");
    }
    api::IpfsId out;
    out.id = PeerId::parse("12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC").value();
    out.addresses.present = true;
    co_return out;
  }
  Task<Result<std::string>> version(StopToken) override { co_return std::string("0.44.0"); }
  Task<Status> pin(api::Pin, std::function<void(ipfs::PinProgress)>, StopToken) override {
    co_return Status();
  }
  Task<Status> unpin(Cid, StopToken) override { co_return Status(); }
  Task<Result<ipfs::PinKind>> pin_status(Cid cid, api::PinMode, StopToken) override {
    if (down) {
      co_return refused("pin/ls?stream=true&arg=" + cid.text() + "&type=recursive");
    }
    co_return ipfs::PinKind::Recursive;
  }
  Task<Result<std::unique_ptr<ipfs::BatchStream<ipfs::ListedPin>>>> pin_ls(std::string type,
                                                                           StopToken) override {
    co_return refused("pin/ls?stream=true&type=" + type);
  }
  Task<Result<ipfs::RepoStat>> repo_stat(StopToken) override {
    co_return ipfs::RepoStat{1000, 100000};
  }
  Task<Result<std::vector<api::RepoGcKey>>> repo_gc(StopToken) override {
    if (down) {
      co_return refused("repo/gc?stream-errors=true");
    }
    std::vector<api::RepoGcKey> out;
    for (int i = 0; i < garbage; ++i) {
      out.push_back({cid_number(i), {}});
    }
    co_return out;
  }
  Task<Result<std::vector<PeerId>>> swarm_peers(StopToken) override {
    co_return std::vector<PeerId>{peer_id(2)};
  }
  Task<Status> swarm_connect(Multiaddr, StopToken) override { co_return Status(); }
  Task<Result<Cid>> resolve(std::string path, StopToken) override {
    const auto found = names.find(path);
    if (found == names.end()) {
      co_return fail(Code::Internal, "IPFS error (resolve?arg={}). Code: 500. Message: no link",
                     path);
    }
    co_return found->second;
  }
  Task<Result<std::string>> config_key(std::string, StopToken) override {
    co_return std::string("null");
  }
  Task<Result<Bytes>> block_get(Cid cid, StopToken) override {
    const auto found = blocks.find(cid);
    if (found == blocks.end()) {
      co_return fail(Code::NotFound, "block not found");
    }
    co_return found->second;
  }
  Task<Status> block_put(std::vector<ipfs::BlockToPut> put, StopToken) override {
    if (down) {
      co_return refused("block/put");
    }
    for (auto& block : put) {
      blocks[block.cid] = std::move(block.data);
    }
    co_return Status();
  }
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_put_stream(StopToken) override {
    if (down) {
      co_return refused("block/put");
    }
    auto keep = [this](ipfs::BlockToPut block) { blocks[block.cid] = std::move(block.data); };
    co_return std::make_unique<FakeBlockSink>(std::move(keep));
  }
  bool reachable() const override { return !down; }
  std::vector<ipfs::CallStats> call_stats() const override { return {}; }

  bool down = false;
  int garbage = 2;
  std::map<std::string, Cid> names;
  std::map<Cid, Bytes> blocks;

 private:
  static tl::unexpected<Error> refused(const std::string& call) {
    return fail(Code::Unavailable,
                "Post \"http://127.0.0.1:22999/api/v0/{}\": dial tcp 127.0.0.1:22999: connect: "
                "connection refused",
                call);
  }
};

// All of one thing in batches of a chosen size, then perhaps an error.
template <typename T>
class ListStream final : public cluster::Stream<T> {
 public:
  explicit ListStream(std::vector<T> items, size_t batch = 2,
                      std::optional<Error> error = std::nullopt)
      : items_(std::move(items)), batch_(batch), error_(std::move(error)) {}
  Task<Result<std::vector<T>>> next() override {
    std::vector<T> out;
    for (; position_ < items_.size() && out.size() < batch_; ++position_) {
      out.push_back(items_[position_]);
    }
    if (out.empty() && error_) {
      co_return fail(*error_);
    }
    co_return out;
  }

 private:
  std::vector<T> items_;
  size_t batch_;
  size_t position_ = 0;
  std::optional<Error> error_;
};

// Answers of other peers, as the test sets them up.
class FakePeers : public cluster::PeerGroup {
 public:
  struct Peer {
    bool stuck = false;  // takes no blocks
    std::string error;   // when set, everything fails with it
    Code code = Code::Unavailable;
    std::map<Cid, api::PinInfo> infos;
    bool sorted = true;
  };
  std::map<PeerId, Peer> peers_by_id;
  std::map<PeerId, std::vector<Cid>> blocks_put;

  std::vector<Multiaddr> own_addresses() const override {
    return {Multiaddr::parse("/ip4/127.0.0.1/tcp/9096/p2p/" + peer_id(0).text()).value()};
  }
  std::vector<Multiaddr> known_addresses() const override { return {}; }
  std::map<std::string, api::Bandwidth> bandwidth() const override { return {}; }
  Task<Result<api::Id>> join(PeerId peer, Duration, StopToken) override { return ask_id(peer); }
  Task<Result<api::Id>> id(PeerId peer, Duration, StopToken) override { return ask_id(peer); }
  Task<Result<std::vector<api::Id>>> peers(PeerId peer, Duration, StopToken) override {
    CO_TRY(auto own, co_await ask_id(peer));
    api::Id other;
    other.id = peer_id(0);
    std::vector<api::Id> out;
    out.push_back(std::move(own));
    out.push_back(std::move(other));
    co_return out;
  }
  Task<Result<std::vector<PeerId>>> swarm_peers(PeerId, Duration, StopToken) override {
    co_return std::vector<PeerId>();
  }
  Task<Result<ipfs::RepoStat>> repo_stat(PeerId peer, Duration, StopToken) override {
    co_return fail(Code::Unsupported, "repo/stat of {} cannot be asked for", peer);
  }
  Task<Result<api::PinInfo>> status(PeerId peer, Cid cid, Duration, StopToken) override {
    const Peer& p = peers_by_id[peer];
    if (!p.error.empty()) {
      co_return fail(Error(p.code, p.error));
    }
    const auto info = p.infos.find(cid);
    if (info == p.infos.end()) {
      co_return fail(Code::NotFound, "not known to {}", peer);
    }
    co_return info->second;
  }
  Task<Result<cluster::PinInfos>> status_all(PeerId peer, api::StatusFilter filter,
                                             StopToken) override {
    const Peer& p = peers_by_id[peer];
    if (!p.error.empty()) {
      co_return fail(Error(p.code, p.error));
    }
    std::vector<api::PinInfo> items;
    for (const auto& [cid, info] : p.infos) {
      if (api::matches(filter, info.info.status)) {
        items.push_back(info);
      }
    }
    if (!p.sorted) {
      std::reverse(items.begin(), items.end());
    }
    cluster::PinInfos out;
    out.items = std::make_unique<ListStream<api::PinInfo>>(std::move(items));
    out.sorted = p.sorted;
    co_return out;
  }
  Task<Result<api::PinInfo>> recover(PeerId peer, Cid cid, Duration limit,
                                     StopToken stop) override {
    return status(std::move(peer), std::move(cid), limit, std::move(stop));
  }
  Task<Result<cluster::PinInfos>> recover_all(PeerId peer, StopToken stop) override {
    return status_all(std::move(peer), static_cast<uint32_t>(api::TrackerStatus::PinError),
                      std::move(stop));
  }
  Task<Result<api::RepoGc>> repo_gc(PeerId peer, StopToken) override {
    const Peer& p = peers_by_id[peer];
    if (!p.error.empty()) {
      co_return fail(Error(p.code, p.error));
    }
    api::RepoGc out;
    out.peer = peer;
    co_return out;
  }
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_stream(PeerId peer,
                                                              StopToken stop) override {
    const Peer& p = peers_by_id[peer];
    if (!p.error.empty()) {
      co_return fail(Error(p.code, p.error));
    }
    if (p.stuck) {
      co_return std::make_unique<StuckBlockSink>(std::move(stop));
    }
    auto keep = [this, peer](ipfs::BlockToPut block) { blocks_put[peer].push_back(block.cid); };
    co_return std::make_unique<FakeBlockSink>(std::move(keep));
  }

 private:
  Task<Result<api::Id>> ask_id(PeerId peer) {
    const Peer& p = peers_by_id[peer];
    if (!p.error.empty()) {
      co_return fail(Error(p.code, p.error));
    }
    api::Id out;
    out.id = peer;
    out.peername = "other";
    co_return out;
  }
};

// A whole peer on fakes. Coroutines run on `context`; await() drives it.
struct FakePeer {
  FakePeer() : tracker(pinset, peer_id(0)), monitor(clock) { config.cluster.peername = "peer0"; }

  cluster::Parts parts() {
    cluster::Parts out{peer_id(0), config,  clock, pinset,   tracker,
                       kubo,       monitor, peers, importer, context.get_executor()};
    out.settle = settle;
    out.compactor = compactor;
    return out;
  }
  cluster::Cluster& use_cases() {
    if (!cluster_) {
      cluster_ = std::make_unique<cluster::Cluster>(parts());
    }
    return *cluster_;
  }

  // A peer that tells all that an allocation needs.
  void announce(int n, std::string group = "default", int64_t space = 1000) {
    const auto expire = clock.now().plus(std::chrono::hours(1)).unix_nanos();
    api::Metric metric;
    metric.peer = peer_id(n);
    metric.valid = true;
    metric.expire = expire;
    metric.name = "ping";
    metric.value = "{\"peer_name\":\"peer" + std::to_string(n) + "\"}";
    monitor.add(metric);
    metric.name = "freespace";
    metric.value = std::to_string(space);
    metric.weight = space;
    monitor.add(metric);
    metric.name = "tag:group";
    metric.value = std::move(group);
    metric.weight = 0;
    metric.partitionable = true;
    monitor.add(metric);
  }

  template <typename T>
  T await(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context, store_result(std::move(task), &out), asio::detached);
    context.restart();
    while (!out && context.run_one() > 0) {
    }
    return std::move(*out);
  }
  template <typename T>
  Result<std::vector<T>> all(cluster::StreamPtr<T> stream) {
    return await(collect(std::move(stream)));
  }

  Duration settle = {};
  cluster::Compactor* compactor = nullptr;
  asio::io_context context;
  config::Config config;
  ManualClock clock;
  FakePinset pinset;
  FakeTracker tracker;
  FakeKubo kubo;
  monitor::Monitor monitor;
  FakePeers peers;
  cluster::Importer importer;

 private:
  template <typename T>
  static Task<void> store_result(Task<T> task, std::optional<T>* out) {
    out->emplace(co_await std::move(task));
  }
  template <typename T>
  static Task<Result<std::vector<T>>> collect(cluster::StreamPtr<T> stream) {
    std::vector<T> out;
    while (true) {
      CO_TRY(auto batch, co_await stream->next());
      if (batch.empty()) {
        co_return out;
      }
      std::move(batch.begin(), batch.end(), std::back_inserter(out));
    }
  }
  std::unique_ptr<cluster::Cluster> cluster_;
};

}  // namespace ica::test
