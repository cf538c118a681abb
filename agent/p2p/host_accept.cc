#include <boost/asio/ip/v6_only.hpp>

#include "agent/p2p/host_core.h"
#include "common/base/log.h"
#include "common/base/system_words.h"

namespace ica::p2p {

namespace {

using asio::ip::tcp;

Result<std::shared_ptr<tcp::acceptor>> bind(const Executor& home, const Multiaddr& address) {
  TRY(const DialTarget where, dial_target(address));
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(where.host, ec);
  if (ec || where.kind == DialTarget::Kind::Unix) {
    return fail(Code::Unsupported, "cannot listen on {}", address);
  }
  const tcp::endpoint endpoint(ip, where.port);
  auto acceptor = std::make_shared<tcp::acceptor>(home);
  acceptor->open(endpoint.protocol(), ec);
  if (!ec) {
    acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
  }
  if (!ec && ip.is_v6()) {
    acceptor->set_option(asio::ip::v6_only(true), ec);
  }
  const char* step = "socket";
  if (!ec) {
    step = "bind";
    acceptor->bind(endpoint, ec);
  }
  if (!ec) {
    step = "listen";
    acceptor->listen(asio::socket_base::max_listen_connections, ec);
  }
  if (ec) {
    return fail(Code::Io, "listen tcp{} {}:{}: {}: {}", ip.is_v6() ? 6 : 4,
                ip.is_v6() ? "[" + where.host + "]" : where.host, where.port, step,
                system_words(ec.message()));
  }
  return acceptor;
}

// What connections are counted by.
std::string ip_of(const Multiaddr& remote) {
  const auto ip = remote.value_of("ip4");
  return ip ? *ip : remote.value_of("ip6").value_or(std::string());
}

void note_failure(const CorePtr& core, const Multiaddr& remote, const std::string& ip,
                  const Error& error) {
  if (core->stopping()) {
    return;
  }
  core->stats.count(true, connect_failure(error));
  static LogLimiter limiter(1, std::chrono::minutes(1));
  if (error.code() == Code::PermissionDenied) {
    uint64_t held_back = 0;
    if (limiter.allow(ip, &held_back)) {
      log_warn("p2p", "peer {}: {}{}", remote, error.message(),
               held_back > 0 ? fmt::format(" ({} more times)", held_back) : std::string());
    }
  } else {
    log_debug("p2p", "connection from {} came to nothing: {}", remote, error.message());
  }
}

Task<void> take_in(CorePtr core, uint64_t number, ConnectionPtr connection) {
  core->pending_accepts.erase(number);
  if (connection) {
    core->adopt(std::move(connection));
  }
  co_return;
}

// On the connection's strand.
Task<void> serve_inbound(CorePtr core, ChannelPtr raw, Multiaddr remote, std::string ip,
                         std::shared_ptr<AddressSlots::Slot> slot, uint64_t number,
                         StopToken stop) {
  const Executor strand = co_await asio::this_coro::executor;
  UpgradeOptions options(core->options.identity);
  options.secrets = core->current_secrets();
  options.dialler = false;
  const SteadyTime deadline =
      core->now() + std::chrono::duration_cast<SteadyTime::duration>(core->options.accept_timeout);
  auto upgraded = co_await upgrade(std::move(raw), std::move(options), deadline, stop);
  ConnectionPtr connection;
  if (upgraded) {
    connection = std::make_shared<Connection>();
    connection->peer = upgraded->peer;
    connection->strand = strand;
    connection->remote = std::move(remote);
    connection->since = core->now();
    connection->secret = upgraded->secret;
    connection->slot = std::move(slot);
    connection->session =
        std::make_shared<yamux::Session>(upgraded->channel, false, strand, core->options.yamux);
  } else {
    note_failure(core, remote, ip, upgraded.error());
  }
  core->launch(core->home, take_in(core, number, std::move(connection)), "accepting a connection");
}

}  // namespace

Status HostCore::listen() {
  std::vector<std::string> failures;
  std::vector<Multiaddr> bound;
  for (const Multiaddr& address : options.listen) {
    if (!address.value_of("tcp")) {
      log_debug("p2p", "not listening on {}: a private network speaks TCP only", address);
      continue;
    }
    auto acceptor = bind(home, address);
    if (!acceptor) {
      failures.push_back(acceptor.error().message());
      continue;
    }
    boost::system::error_code ec;
    bound.push_back(to_multiaddr((*acceptor)->local_endpoint(ec)));
    acceptors.push_back(*std::move(acceptor));
  }
  if (bound.empty() && !options.listen.empty()) {
    return fail(Code::Io, "failed to listen on any addresses: [{}]", fmt::join(failures, " "));
  }
  for (const std::string& failure : failures) {
    log_warn("p2p", "{}", failure);
  }
  const std::lock_guard lock(mutex);
  listening = std::move(bound);
  return {};
}

Task<void> HostCore::accept_loop(CorePtr core, std::shared_ptr<tcp::acceptor> acceptor) {
  static LogLimiter limiter(1, std::chrono::minutes(1));
  const StopToken token = core->stopped();
  while (!token.stop_requested()) {
    const Executor strand = asio::make_strand(core->net);
    boost::system::error_code ec;
    tcp::socket socket =
        co_await acceptor->async_accept(strand, asio::redirect_error(asio::use_awaitable, ec));
    if (token.stop_requested()) {
      break;
    }
    if (ec) {
      // Out of descriptors, most likely: it gets better when something is closed.
      if (limiter.allow("accept")) {
        log_warn("p2p", "accepting a connection: {}", ec.message());
      }
      const Status slept = co_await sleep_for(std::chrono::milliseconds(100), token);
      static_cast<void>(slept);
      continue;
    }
    auto channel = std::make_shared<TcpChannel>(std::move(socket), core->bytes);
    const Multiaddr remote = channel->remote();
    core->accept(strand, std::move(channel), remote);
  }
}

void HostCore::accept(const Executor& strand, ChannelPtr channel, const Multiaddr& remote) {
  static LogLimiter limiter(1, std::chrono::minutes(1));
  std::string ip = ip_of(remote);
  auto slot = AddressSlots::take(slots, ip, options.max_connections_per_address);
  const uint64_t others = stats.connections.load() + pending_accepts.size();
  if (!slot || others >= options.max_connections + options.max_pending_accepts) {
    stats.count(true, ConnectFailure::Limit);
    if (limiter.allow(ip)) {
      log_warn("p2p", "peer {}: refused, too many connections{}", ip,
               slot ? "" : " from this address");
    }
    channel->close();
    return;
  }
  if (pending_accepts.size() >= options.max_pending_accepts) {
    // Whoever has been shaking hands for longest is the least likely to come to an end.
    stats.count(true, ConnectFailure::Limit);
    pending_accepts.begin()->second.request_stop();
    pending_accepts.erase(pending_accepts.begin());
  }
  const uint64_t number = next_accept++;
  StopSource source;
  pending_accepts.emplace(number, source);
  launch(strand,
         serve_inbound(shared_from_this(), std::move(channel), remote, std::move(ip),
                       std::move(slot), number, source.get_token()),
         "accepting a connection");
}

}  // namespace ica::p2p
