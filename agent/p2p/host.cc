#include "agent/p2p/host.h"

#include "agent/p2p/host_core.h"
#include "agent/p2p/host_stream.h"
#include "common/crypto/random.h"

namespace ica::p2p {

namespace {

constexpr auto kStopLimit = std::chrono::milliseconds(1500);
constexpr size_t kPingBytes = 32;

SteadyTime deadline_in(Duration timeout) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<SteadyTime::duration>(timeout);
}

Multiaddr with_peer(const Multiaddr& address, const PeerId& peer) {
  auto full = Multiaddr::parse(address.text() + "/p2p/" + peer.text());
  return full ? *std::move(full) : address;
}

Task<Result<StreamPtr>> open_at_home(CorePtr core, PeerId peer, std::vector<std::string> protocols,
                                     SteadyTime deadline, StopToken stop) {
  auto connection = co_await HostCore::connection_to(core, peer, deadline, stop, false);
  if (!connection) {
    co_return fail(std::move(connection).error());
  }
  const Executor strand = (*connection)->strand;
  Task<Result<StreamPtr>> opening =
      HostCore::open_on(core, *connection, std::move(protocols), deadline, stop);
  co_return co_await asio::co_spawn(strand, std::move(opening), asio::use_awaitable);
}

Task<Result<Duration>> ping_stream(StreamPtr stream) {
  const Bytes block = random_bytes(kPingBytes);
  const auto start = std::chrono::steady_clock::now();
  auto written = co_await stream->write(block);
  if (!written) {
    co_return fail(std::move(written).error());
  }
  Bytes echo;
  while (echo.size() < kPingBytes) {
    auto piece = co_await stream->read_some(kPingBytes - echo.size());
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return fail(Code::Closed, "ping: stream closed");
    }
    echo += *piece;
  }
  if (echo != block) {
    co_return fail(Code::Protocol, "ping: the answer is not what was sent");
  }
  co_return Duration(std::chrono::steady_clock::now() - start);
}

Task<void> stop_at_home(CorePtr core) {
  core->stop.request_stop();
  boost::system::error_code ignored;
  for (const auto& acceptor : core->acceptors) {
    acceptor->close(ignored);
  }
  for (auto& [number, source] : core->pending_accepts) {
    source.request_stop();
  }
  std::vector<ConnectionPtr> open;
  {
    const std::lock_guard lock(core->mutex);
    for (const auto& [peer, state] : core->peers) {
      open.insert(open.end(), state.connections.begin(), state.connections.end());
    }
  }
  auto saved = co_await HostCore::save(core);
  static_cast<void>(saved);
  for (const ConnectionPtr& connection : open) {
    HostCore::close(connection, "shutting down");
  }
  const SteadyTime until = core->now() + kStopLimit;
  while (core->coroutines.load() > 0 && core->now() < until) {
    co_await core->idle.wait(
        std::min<Duration>(until - core->now(), std::chrono::milliseconds(50)));
  }
  core->acceptors.clear();
}

void close_all(const CorePtr& core) {
  boost::system::error_code ignored;
  for (const auto& acceptor : core->acceptors) {
    acceptor->close(ignored);
  }
  const std::lock_guard lock(core->mutex);
  for (const auto& [peer, state] : core->peers) {
    for (const ConnectionPtr& connection : state.connections) {
      HostCore::close(connection, "host destroyed");
    }
  }
}

}  // namespace

HostCore::HostCore(Executor executor, HostOptions o)
    : options(std::move(o)),
      self(options.identity.peer_id()),
      net(std::move(executor)),
      home(asio::make_strand(net)),
      book(self),
      idle(home),
      keeper_wakes(home),
      secrets(options.secrets) {}

std::vector<Bytes> HostCore::current_secrets() const {
  const std::lock_guard lock(mutex);
  return secrets;
}

Host::Host(Executor net, HostOptions options)
    : core_(std::make_shared<HostCore>(std::move(net), std::move(options))) {
  core_->add_own_handlers();
}

Host::~Host() {
  if (!core_->stopping()) {
    core_->stop.request_stop();
    asio::post(core_->home, [core = core_] { close_all(core); });
  }
}

Status Host::start() {
  TRY_VOID(core_->listen());
  core_->load_peers();
  {
    const std::lock_guard lock(core_->mutex);
    core_->started = true;
  }
  for (const auto& acceptor : core_->acceptors) {
    core_->launch(core_->home, HostCore::accept_loop(core_, acceptor), "accepting connections");
  }
  if (core_->options.reconnect) {
    core_->launch(core_->home, HostCore::keep_connected(core_), "keeping connected");
  }
  for (const std::string& name : core_->options.bootstrap_names) {
    core_->launch(core_->home, HostCore::follow_name(core_, name), "following a name");
  }
  if (core_->options.mdns_interval > Duration::zero()) {
    core_->launch(core_->home, HostCore::discover(core_), "discovery on the local network");
  }
  core_->launch(core_->home, HostCore::save_now_and_then(core_), "saving the peerstore");
  return {};
}

Task<void> Host::stop() {
  const CorePtr core = core_;
  Task<void> stopping = stop_at_home(core);
  co_await asio::co_spawn(core->home, std::move(stopping), asio::use_awaitable);
}

const PeerId& Host::self() const {
  return core_->self;
}

Task<Result<StreamPtr>> Host::open_stream(PeerId peer, std::vector<std::string> protocols,
                                          Duration timeout, StopToken stop) {
  const CorePtr core = core_;
  Task<Result<StreamPtr>> opening =
      open_at_home(core, std::move(peer), std::move(protocols), deadline_in(timeout), stop);
  co_return co_await asio::co_spawn(core->home, std::move(opening), asio::use_awaitable);
}

void Host::handle(std::string protocol, std::function<Task<void>(StreamPtr)> handler) {
  bool tell = false;
  {
    const std::lock_guard lock(core_->mutex);
    core_->handlers.insert_or_assign(std::move(protocol), std::move(handler));
    tell = core_->started;
  }
  if (tell) {
    asio::post(core_->home, [core = core_] { core->schedule_push(); });
  }
}

void Host::subscribe(PeerEvents events) {
  asio::post(core_->home, [core = core_, events = std::move(events)]() mutable {
    std::vector<PeerId> present;
    {
      const std::lock_guard lock(core->mutex);
      for (const auto& [peer, state] : core->peers) {
        if (state.announced) {
          present.push_back(peer);
        }
      }
    }
    for (const PeerId& peer : present) {
      if (events.connected) {
        events.connected(peer);
      }
    }
    core->subscribers.push_back(std::move(events));
  });
}

std::vector<PeerId> Host::connected_peers() const {
  const std::lock_guard lock(core_->mutex);
  std::vector<PeerId> out;
  for (const auto& [peer, state] : core_->peers) {
    if (!state.connections.empty()) {
      out.push_back(peer);
    }
  }
  return out;
}

bool Host::speaks(const PeerId& peer, std::string_view protocol) const {
  const auto info = core_->info(peer);
  return info && info->speaks(protocol);
}

std::vector<Multiaddr> Host::listen_addresses() const {
  return core_->announced_addresses();
}

std::vector<Multiaddr> Host::known_addresses(const PeerId& peer) const {
  return core_->book.addresses(peer, core_->now());
}

std::vector<Multiaddr> Host::own_addresses() const {
  std::vector<Multiaddr> out;
  for (const Multiaddr& address : core_->announced_addresses()) {
    out.push_back(with_peer(address, core_->self));
  }
  return out;
}

std::vector<Multiaddr> Host::known_addresses() const {
  return core_->book.all(core_->now());
}

std::map<std::string, TrafficSnapshot> Host::bandwidth() const {
  return core_->traffic.snapshot();
}

const HostStats& Host::stats() const {
  return core_->stats;
}

Task<Status> Host::connect(PeerId peer, Duration timeout, StopToken stop) {
  const CorePtr core = core_;
  Task<Result<ConnectionPtr>> dialling =
      HostCore::connection_to(core, std::move(peer), deadline_in(timeout), stop, true);
  auto connection = co_await asio::co_spawn(core->home, std::move(dialling), asio::use_awaitable);
  if (!connection) {
    co_return fail(std::move(connection).error());
  }
  co_return Status();
}

Task<Result<PeerId>> Host::connect_address(Multiaddr address, Duration timeout, StopToken stop) {
  const CorePtr core = core_;
  Task<Result<PeerId>> dialling =
      HostCore::connect_address(core, std::move(address), deadline_in(timeout), stop);
  co_return co_await asio::co_spawn(core->home, std::move(dialling), asio::use_awaitable);
}

Status Host::add_address(const Multiaddr& with_peer, AddressSource source) {
  TRY_VOID(core_->book.add(with_peer, source, core_->now()));
  core_->keeper_wakes.notify_all();
  return {};
}

void Host::add_addresses(const PeerId& peer, const std::vector<Multiaddr>& addresses,
                         AddressSource source) {
  if (core_->book.add(peer, addresses, source, core_->now())) {
    core_->keeper_wakes.notify_all();
  }
}

void Host::accept(ChannelPtr channel, Multiaddr remote) {
  asio::post(core_->home,
             [core = core_, channel = std::move(channel), remote = std::move(remote)]() mutable {
               core->accept(asio::make_strand(core->net), std::move(channel), remote);
             });
}

void Host::forget(const PeerId& peer) {
  core_->book.remove(peer);
}

void Host::disconnect(const PeerId& peer) {
  const std::lock_guard lock(core_->mutex);
  if (const auto it = core_->peers.find(peer); it != core_->peers.end()) {
    for (const ConnectionPtr& connection : it->second.connections) {
      HostCore::close(connection, "disconnected");
    }
  }
}

void Host::protect(const PeerId& peer, bool on) {
  const std::lock_guard lock(core_->mutex);
  if (on) {
    core_->protected_peers.insert(peer);
  } else {
    core_->protected_peers.erase(peer);
  }
}

void Host::set_secrets(std::vector<Bytes> secrets) {
  const std::lock_guard lock(core_->mutex);
  core_->secrets = std::move(secrets);
}

Task<Result<Duration>> Host::ping(PeerId peer, Duration timeout, StopToken stop) {
  std::vector<std::string> protocols;
  protocols.emplace_back(kPingProtocol);
  auto stream = co_await open_stream(std::move(peer), std::move(protocols), timeout, stop);
  if (!stream) {
    co_return fail(std::move(stream).error());
  }
  (*stream)->set_deadline(deadline_in(timeout));
  const Executor strand = (*stream)->executor();
  Task<Result<Duration>> pinging = ping_stream(*stream);
  auto took = co_await asio::co_spawn(strand, std::move(pinging), asio::use_awaitable);
  auto closed = co_await (*stream)->close_write();
  static_cast<void>(closed);
  co_return took;
}

std::string Host::agent_version(const PeerId& peer) const {
  const auto info = core_->info(peer);
  return info ? info->agent_version : std::string();
}

size_t Host::connections(const PeerId& peer) const {
  const std::lock_guard lock(core_->mutex);
  const auto it = core_->peers.find(peer);
  return it == core_->peers.end() ? 0 : it->second.connections.size();
}

}  // namespace ica::p2p
