#include "agent/cluster/core.h"
#include "agent/cluster/peer_states.h"
#include "common/base/log.h"

namespace ica::cluster {
namespace {

// A hung Kubo must not hang the question who we are.
constexpr Duration kKuboIdLimit = std::chrono::seconds(10);

class PeersStream final : public Stream<api::Id> {
 public:
  PeersStream(CorePtr core, StopToken stop) : core_(std::move(core)), stop_(std::move(stop)) {}

  // Members are few; they are asked side by side and given in one batch.
  Task<Result<std::vector<api::Id>>> next() override {
    std::vector<api::Id> out;
    if (done_) {
      co_return out;
    }
    done_ = true;
    const std::vector<PeerId> members = core_->members();
    std::vector<Task<Result<api::Id>>> tasks;
    tasks.reserve(members.size());
    for (const PeerId& peer : members) {
      tasks.push_back(peer == core_->parts.self ? own_id(core_, stop_)
                                                : core_->parts.peers.id(peer, kPeerLimit, stop_));
    }
    std::vector<Result<api::Id>> answers = co_await gather(std::move(tasks));
    for (size_t i = 0; i < answers.size(); ++i) {
      if (answers[i]) {
        out.push_back(std::move(*answers[i]));
      } else if (answers[i].error().code() != Code::PermissionDenied) {
        api::Id failed;
        failed.id = members[i];
        failed.error = answers[i].error().message();
        out.push_back(std::move(failed));
      }
    }
    co_return out;
  }

 private:
  const CorePtr core_;
  const StopToken stop_;
  bool done_ = false;
};

struct RequestStop {
  StopSource source;
  void operator()() const { StopSource(source).request_stop(); }
};

Task<void> stop_after(std::shared_ptr<asio::steady_timer> timer, StopSource source) {
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (!ec) {
    source.request_stop();
  }
}

Task<api::IpfsId> kubo_id(CorePtr core, StopToken stop) {
  StopSource limited;
  const std::stop_callback<RequestStop> outer(stop, RequestStop{limited});
  auto executor = co_await asio::this_coro::executor;
  auto timer = std::make_shared<asio::steady_timer>(executor, kKuboIdLimit);
  asio::co_spawn(executor, stop_after(timer, limited), asio::detached);
  auto id = co_await core->parts.connector.id(limited.get_token());
  timer->cancel();
  if (id) {
    co_return std::move(*id);
  }
  api::IpfsId failed;
  const bool late = id.error().code() == Code::Cancelled && !stop.stop_requested();
  failed.error = late ? "context deadline exceeded" : id.error().message();
  co_return failed;
}

Task<Result<api::RepoGc>> own_gc(CorePtr core, StopToken stop) {
  CO_TRY(auto keys, co_await core->parts.connector.repo_gc(stop));
  api::RepoGc out;
  out.peer = core->parts.self;
  out.peername = core->cluster().peername;
  out.keys = std::move(keys);
  co_return out;
}

// One after the other: a whole cluster that collects at the same moment serves nobody.
Task<Result<api::GlobalRepoGc>> repo_gc_in(CorePtr core, StopToken stop) {
  api::GlobalRepoGc out;
  for (const PeerId& peer : core->members()) {
    Result<api::RepoGc> answer = api::RepoGc();
    if (peer == core->parts.self) {
      answer = co_await own_gc(core, stop);
    } else {
      answer = co_await core->parts.peers.repo_gc(peer, stop);
    }
    if (answer) {
      out.peer_map.emplace(peer.text(), std::move(*answer));
    } else if (answer.error().code() != Code::PermissionDenied) {
      api::RepoGc failed;
      failed.peer = peer;
      failed.peername = core->parts.monitor.ping_of(peer).peername;
      failed.error = answer.error().message();
      out.peer_map.emplace(peer.text(), std::move(failed));
    }
  }
  co_return out;
}

Task<Result<api::GlobalRepoGc>> repo_gc_local_in(CorePtr core, StopToken stop) {
  CO_TRY(auto answer, co_await own_gc(core, stop));
  api::GlobalRepoGc out;
  out.peer_map.emplace(core->parts.self.text(), std::move(answer));
  co_return out;
}

Task<ipfs::RepoStat> repo_stat_in(CorePtr core, StopToken stop) {
  const std::vector<PeerId> members = core->members();
  std::vector<Task<Result<ipfs::RepoStat>>> tasks;
  tasks.reserve(members.size());
  for (const PeerId& peer : members) {
    tasks.push_back(peer == core->parts.self ? core->parts.connector.repo_stat(stop)
                                             : core->parts.peers.repo_stat(peer, kPeerLimit, stop));
  }
  std::vector<Result<ipfs::RepoStat>> answers = co_await gather(std::move(tasks));
  ipfs::RepoStat total;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]) {
      total.repo_size += answers[i]->repo_size;
      total.storage_max += answers[i]->storage_max;
    } else if (answers[i].error().code() != Code::PermissionDenied) {
      log_warn("cluster", "{} repo/stat errored: {}", members[i], answers[i].error().message());
    }
  }
  co_return total;
}

Task<Result<std::vector<api::Id>>> own_peers(CorePtr core, StopToken stop) {
  PeersStream stream(core, stop);
  co_return co_await stream.next();
}

Task<Result<api::ConnectGraph>> connect_graph_in(CorePtr core, StopToken stop) {
  api::ConnectGraph graph;
  graph.cluster_id = core->parts.self;
  const std::vector<PeerId> members = core->members();
  std::vector<Task<Result<std::vector<api::Id>>>> tasks;
  for (const PeerId& peer : members) {
    graph.cluster_trust_links[peer.text()] = core->trusted(peer);
    tasks.push_back(peer == core->parts.self ? own_peers(core, stop)
                                             : core->parts.peers.peers(peer, kPeerLimit, stop));
  }
  std::vector<Result<std::vector<api::Id>>> answers = co_await gather(std::move(tasks));
  for (size_t i = 0; i < members.size(); ++i) {
    const PeerId& peer = members[i];
    auto& links = graph.cluster_links[peer.text()];
    if (!answers[i]) {
      log_debug("cluster", "peers of {}: {}", peer, answers[i].error().message());
      continue;
    }
    const api::Id* itself = nullptr;
    for (const api::Id& id : *answers[i]) {
      if (!id.error.empty()) {
        continue;
      }
      if (id.id == peer) {
        itself = &id;
      } else {
        links.push_back(id.id);
      }
    }
    if (itself == nullptr) {
      continue;
    }
    graph.id_to_peername[peer.text()] = itself->peername;
    if (!itself->ipfs.error.empty()) {
      continue;
    }
    graph.cluster_to_ipfs[peer.text()] = itself->ipfs.id;
    auto& ipfs_links = graph.ipfs_links[itself->ipfs.id.text()];
    Result<std::vector<PeerId>> swarm = std::vector<PeerId>();
    if (peer == core->parts.self) {
      swarm = co_await core->parts.connector.swarm_peers(stop);
    } else {
      swarm = co_await core->parts.peers.swarm_peers(peer, kPeerLimit, stop);
    }
    if (swarm) {
      ipfs_links = std::move(*swarm);
    }
  }
  co_return graph;
}

Task<Result<api::Id>> peer_add_in(CorePtr core, PeerId peer, StopToken stop) {
  if (peer == core->parts.self) {
    co_return co_await own_id(core, stop);
  }
  co_return co_await core->parts.peers.join(peer, kPeerLimit, stop);
}

}  // namespace

Task<Result<api::Id>> own_id(CorePtr core, StopToken stop) {
  api::Id out;
  out.id = core->parts.self;
  out.addresses = {core->parts.peers.own_addresses(), true};
  out.cluster_peers = {core->members(), true};
  out.cluster_peers_addresses = {core->parts.peers.known_addresses(), true};
  out.version = std::string(api::kReferenceVersion);
  out.rpc_protocol_version = std::string(api::kRpcProtocol);
  out.ipfs = co_await kubo_id(core, stop);
  out.peername = core->cluster().peername;
  co_return out;
}

std::vector<PeerId> Cluster::Core::members() const {
  std::vector<PeerId> out = parts.monitor.alive();
  const auto at = std::lower_bound(out.begin(), out.end(), parts.self);
  if (at == out.end() || *at != parts.self) {
    out.insert(at, parts.self);
  }
  return out;
}

bool Cluster::Core::trusted(const PeerId& peer) const {
  if (parts.trust) {
    return parts.trust->trusts(peer);
  }
  const config::TrustedPeers& trust = parts.config.crdt.trusted_peers;
  return trust.all || peer == parts.self ||
         std::find(trust.peers.begin(), trust.peers.end(), peer) != trust.peers.end();
}

Cluster::Cluster(Parts parts) : core_(std::make_shared<Core>(std::move(parts))) {
  core_->orchestrator = std::make_unique<Orchestrator>(*core_);
}

// What outlives it (streams, uploads) keeps the core, and nothing in there orchestrates.
Cluster::~Cluster() {
  core_->orchestrator.reset();
}

Orchestrator& Cluster::orchestrator() {
  return *core_->orchestrator;
}

const PeerId& Cluster::self() const {
  return core_->parts.self;
}

const config::Config& Cluster::settings() const {
  return core_->parts.config;
}

Task<Result<api::Id>> Cluster::id(StopToken stop) {
  return own_id(core_, std::move(stop));
}

StreamPtr<api::Id> Cluster::peers(StopToken stop) {
  return std::make_unique<PeersStream>(core_, std::move(stop));
}

Task<Result<api::Id>> Cluster::peer_add(PeerId peer, StopToken stop) {
  return peer_add_in(core_, std::move(peer), std::move(stop));
}

Status Cluster::peer_remove(const PeerId&) {
  return fail(Code::Internal, "crdt consensus component cannot remove peers");
}

api::PinInfoShort Cluster::last_known(const PeerId& peer) const {
  return core_->short_info(peer, api::TrackerStatus::Undefined, core_->now());
}

std::vector<PeerId> Cluster::members() const {
  return core_->members();
}

bool Cluster::trusted(const PeerId& peer) const {
  return core_->trusted(peer);
}

std::string Cluster::peername(const PeerId& peer) const {
  return peer == core_->parts.self ? core_->cluster().peername
                                   : core_->parts.monitor.ping_of(peer).peername;
}

Task<Result<api::GlobalRepoGc>> Cluster::repo_gc(StopToken stop) {
  return repo_gc_in(core_, std::move(stop));
}

Task<Result<api::GlobalRepoGc>> Cluster::repo_gc_local(StopToken stop) {
  return repo_gc_local_in(core_, std::move(stop));
}

Task<Result<api::RepoGc>> Cluster::own_repo_gc(StopToken stop) {
  return own_gc(core_, std::move(stop));
}

bool Cluster::kubo_reachable() const {
  return core_->parts.connector.reachable();
}

tracker::TrackerCounts Cluster::own_counts() const {
  return core_->parts.tracker.counts();
}

Task<ipfs::RepoStat> Cluster::repo_stat(StopToken stop) {
  return repo_stat_in(core_, std::move(stop));
}

Task<Result<api::ConnectGraph>> Cluster::connect_graph(StopToken stop) {
  return connect_graph_in(core_, std::move(stop));
}

EventLog* Cluster::events() const {
  return core_->parts.events;
}

Compactor* Cluster::compactor() const {
  return core_->parts.compactor;
}

std::vector<api::Alert> Cluster::alerts() const {
  // Where agents tell each other their part is no business of the API's users.
  std::vector<api::Alert> out = core_->parts.monitor.alerts();
  std::erase_if(out, [](const api::Alert& alert) { return alert.metric.name == kAgentMetric; });
  return out;
}

std::vector<api::Metric> Cluster::metrics(std::string_view name) const {
  return core_->parts.monitor.latest(name);
}

std::vector<std::string> Cluster::metric_names() const {
  auto names = core_->parts.monitor.names();
  std::erase(names, kAgentMetric);  // between agents; clients of the reference know no such name
  return names;
}

std::map<std::string, api::Bandwidth> Cluster::bandwidth() const {
  return core_->parts.peers.bandwidth();
}

}  // namespace ica::cluster
