#include "agent/rpc/remote_peers.h"

#include <algorithm>

#include "agent/rpc/exchange.h"
#include "agent/rpc/server.h"
#include "common/base/async.h"

namespace ica::rpc {
namespace {

std::vector<std::string> protocols() {
  return {std::string(api::kRpcProtocol)};
}

// Of one kind of call: how long it may take and how large its answer may be.
struct Bounds {
  Duration limit;
  size_t max_answer;
};

template <typename R>
Task<Result<R>> ask_once(ExchangePtr exchange, Bytes request, Bounds bounds) {
  exchange->set_limit(bounds.limit);
  auto sent = co_await exchange->stream()->write(std::move(request));
  if (!sent) {
    co_return fail(std::move(sent.error()));
  }
  auto bytes = co_await exchange->answer(bounds.max_answer);
  if (!bytes) {
    co_return fail(std::move(bytes.error()));
  }
  if (!bytes->has_value()) {
    co_return fail(Code::Unavailable, "EOF");
  }
  auto answer = decode<R>(**bytes);
  if (!answer) {
    co_return exchange->refuse(std::move(answer.error()));
  }
  co_return answer;
}

// A call with one argument and one answer.
template <typename R, typename A>
Task<Result<R>> call(ClientPtr client, PeerId peer, ServiceId id, A argument, Bounds bounds,
                     StopToken stop) {
  const auto begin = std::chrono::steady_clock::now();
  auto entered = co_await client->turnstile.enter(stop);
  if (!entered) {
    co_return fail(std::move(entered.error()));
  }
  const Turnstile::Place place(client->turnstile);
  auto exchange = co_await open_exchange(client, std::move(peer), protocols(), bounds.limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  if (bounds.limit != Duration::zero()) {
    constexpr Duration kLeast = std::chrono::milliseconds(1);
    const Duration passed = std::chrono::steady_clock::now() - begin;
    bounds.limit = std::max(bounds.limit - passed, kLeast);
  }
  Bytes request;
  write(request, id);
  write(request, argument);
  const p2p::StreamPtr stream = (*exchange)->stream();
  Result<R> result = fail(Code::Internal, "no answer");
  {
    const std::stop_callback<ResetStream> on_stop(stop, ResetStream{stream});
    result = co_await on_executor(stream->executor(),
                                  ask_once<R>(*exchange, std::move(request), bounds));
  }
  close_gently(stream);
  if (!result) {
    co_return fail(call_error(std::move(result.error()), stop));
  }
  co_return result;
}

// Opens a call that is answered with a stream: `request` and the end of what we say.
Task<Status> send_request(ExchangePtr exchange, Bytes request, Duration limit) {
  exchange->set_limit(limit);
  auto sent = co_await exchange->stream()->write(std::move(request));
  if (!sent) {
    co_return sent;
  }
  co_return co_await exchange->stream()->close_write();
}

Task<Result<ExchangePtr>> open_streaming(ClientPtr client, PeerId peer,
                                         std::vector<std::string> with, Bytes request,
                                         Duration limit, StopToken stop) {
  auto exchange = co_await open_exchange(client, std::move(peer), std::move(with), limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  const p2p::StreamPtr stream = (*exchange)->stream();
  const std::stop_callback<ResetStream> on_stop(stop, ResetStream{stream});
  auto sent = co_await on_executor(
      stream->executor(), send_request(*exchange, std::move(request), client->options.stall_limit));
  if (!sent) {
    co_return fail(call_error(std::move(sent.error()), stop));
  }
  co_return exchange;
}

Task<Result<std::vector<api::Id>>> read_ids(ClientPtr client, ExchangePtr exchange,
                                            Duration limit) {
  exchange->set_limit(limit);
  std::vector<api::Id> out;
  while (true) {
    auto bytes = co_await exchange->answer(client->options.max_answer);
    if (!bytes) {
      co_return fail(std::move(bytes.error()));
    }
    if (!bytes->has_value()) {
      break;
    }
    auto id = decode<api::Id>(**bytes);
    if (!id) {
      co_return exchange->refuse(std::move(id.error()));
    }
    if (out.size() >= client->options.max_peers) {
      co_return fail(Code::TooLarge, "a list of more than {} peers", out.size());
    }
    out.push_back(std::move(*id));
  }
  co_return out;
}

Task<Result<std::vector<api::Id>>> peers_of(ClientPtr client, PeerId peer, Duration limit,
                                            StopToken stop) {
  auto entered = co_await client->turnstile.enter(stop);
  if (!entered) {
    co_return fail(std::move(entered.error()));
  }
  const Turnstile::Place place(client->turnstile);
  const ServiceId method{"Cluster", "Peers"};
  Bytes request = encode(method);
  auto exchange = co_await open_streaming(client, std::move(peer), protocols(), std::move(request),
                                          limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  const p2p::StreamPtr stream = (*exchange)->stream();
  Result<std::vector<api::Id>> result = fail(Code::Internal, "no answer");
  {
    const std::stop_callback<ResetStream> on_stop(stop, ResetStream{stream});
    result = co_await on_executor(stream->executor(), read_ids(client, *exchange, limit));
  }
  close_gently(stream);
  if (!result) {
    co_return fail(call_error(std::move(result.error()), stop));
  }
  co_return result;
}

Task<Result<api::Id>> join_peer(ClientPtr client, PeerId peer, Duration limit, StopToken stop) {
  const Bounds bounds{limit, client->options.max_answer};
  ServiceId method{"Cluster", "ID"};
  auto id = co_await call<api::Id>(client, std::move(peer), std::move(method), Empty(), bounds,
                                   std::move(stop));
  if (!id) {
    if (id.error().message().ends_with(": no addresses")) {
      co_return fail(Code::Unavailable,
                     "failed to find any peer in table");  // the reference's words
    }
    co_return id;
  }
  // It will know of us as soon as it hears our metrics.
  auto& known = id->cluster_peers;
  const PeerId& self = client->network.self();
  if (std::find(known.items.begin(), known.items.end(), self) == known.items.end()) {
    known.items.push_back(self);
    known.present = true;
  }
  co_return id;
}

Task<Result<cluster::PinInfos>> infos_of(ClientPtr client, PeerId peer,
                                         std::vector<std::string> with, Bytes request,
                                         StopToken stop) {
  auto exchange = co_await open_streaming(client, std::move(peer), std::move(with),
                                          std::move(request), client->options.dial_limit, stop);
  if (!exchange) {
    co_return fail(std::move(exchange.error()));
  }
  cluster::PinInfos out;
  if ((*exchange)->stream()->protocol() == kOwnProtocol) {
    out.sorted = true;
    out.briefs = remote_briefs(client, *exchange, std::move(stop));
  } else {
    out.items = remote_infos(client, *exchange, std::move(stop));
  }
  co_return out;
}

Multiaddr with_peer(const Multiaddr& address, const PeerId& peer) {
  if (address.peer_id()) {
    return address;
  }
  return address.encapsulate(Multiaddr::parse("/p2p/" + peer.text()).value());
}

}  // namespace

RemotePeers::RemotePeers(p2p::Network& network, monitor::Monitor& monitor,
                         std::function<std::map<std::string, api::Bandwidth>()> bandwidth,
                         ClientOptions options)
    : impl_(std::shared_ptr<Impl>(new Impl{network, monitor, std::move(bandwidth), options,
                                           Turnstile(options.max_calls)})) {}

RemotePeers::~RemotePeers() = default;

std::vector<Multiaddr> RemotePeers::own_addresses() const {
  std::vector<Multiaddr> out;
  for (const Multiaddr& address : impl_->network.listen_addresses()) {
    out.push_back(with_peer(address, impl_->network.self()));
  }
  return out;
}

std::vector<Multiaddr> RemotePeers::known_addresses() const {
  std::vector<Multiaddr> out;
  for (const PeerId& peer : impl_->monitor.alive()) {
    if (peer == impl_->network.self()) {
      continue;
    }
    for (const Multiaddr& address : impl_->network.known_addresses(peer)) {
      out.push_back(with_peer(address, peer));
    }
  }
  return out;
}

std::map<std::string, api::Bandwidth> RemotePeers::bandwidth() const {
  if (!impl_->bandwidth) {
    return {};
  }
  return impl_->bandwidth();
}

Task<Result<api::Id>> RemotePeers::join(PeerId peer, Duration limit, StopToken stop) {
  return join_peer(impl_, std::move(peer), limit, std::move(stop));
}

Task<Result<api::Id>> RemotePeers::id(PeerId peer, Duration limit, StopToken stop) {
  return call<api::Id>(impl_, std::move(peer), {"Cluster", "ID"}, Empty(),
                       {limit, impl_->options.max_answer}, std::move(stop));
}

Task<Result<std::vector<api::Id>>> RemotePeers::peers(PeerId peer, Duration limit, StopToken stop) {
  return peers_of(impl_, std::move(peer), limit, std::move(stop));
}

Task<Result<std::vector<PeerId>>> RemotePeers::swarm_peers(PeerId peer, Duration limit,
                                                           StopToken stop) {
  return call<std::vector<PeerId>>(impl_, std::move(peer), {"IPFSConnector", "SwarmPeers"}, Empty(),
                                   {limit, impl_->options.max_answer}, std::move(stop));
}

Task<Result<api::PinInfo>> RemotePeers::status(PeerId peer, Cid cid, Duration limit,
                                               StopToken stop) {
  return call<api::PinInfo>(impl_, std::move(peer), {"PinTracker", "Status"}, std::move(cid),
                            {limit, impl_->options.max_answer}, std::move(stop));
}

Task<Result<cluster::PinInfos>> RemotePeers::status_all(PeerId peer, api::StatusFilter filter,
                                                        StopToken stop) {
  Bytes request = encode(ServiceId{"PinTracker", "StatusAll"});
  write(request, Filter{filter});
  return infos_of(impl_, std::move(peer),
                  {std::string(kOwnProtocol), std::string(api::kRpcProtocol)}, std::move(request),
                  std::move(stop));
}

Task<Result<api::PinInfo>> RemotePeers::recover(PeerId peer, Cid cid, Duration limit,
                                                StopToken stop) {
  return call<api::PinInfo>(impl_, std::move(peer), {"PinTracker", "Recover"}, std::move(cid),
                            {limit, impl_->options.max_answer}, std::move(stop));
}

Task<Result<cluster::PinInfos>> RemotePeers::recover_all(PeerId peer, StopToken stop) {
  return infos_of(impl_, std::move(peer), protocols(),
                  encode(ServiceId{"Cluster", "RecoverAllLocal"}), std::move(stop));
}

Task<Result<ipfs::RepoStat>> RemotePeers::repo_stat(PeerId peer, Duration limit, StopToken stop) {
  return call<ipfs::RepoStat>(impl_, std::move(peer), {"IPFSConnector", "RepoStat"}, Empty(),
                              {limit, impl_->options.max_answer}, std::move(stop));
}

Task<Result<api::RepoGc>> RemotePeers::repo_gc(PeerId peer, StopToken stop) {
  return call<api::RepoGc>(impl_, std::move(peer), {"Cluster", "RepoGCLocal"}, Empty(),
                           {Duration::zero(), impl_->options.max_garbage_answer}, std::move(stop));
}

Task<Result<std::unique_ptr<ipfs::BlockSink>>> RemotePeers::block_stream(PeerId peer,
                                                                         StopToken stop) {
  return open_block_stream(impl_, std::move(peer), std::move(stop));
}

}  // namespace ica::rpc
