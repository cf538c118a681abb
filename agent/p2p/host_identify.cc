#include <algorithm>

#include "agent/p2p/host_stream.h"
#include "agent/p2p/listen_addresses.h"
#include "common/base/log.h"
#include "common/codec/varint.h"

namespace ica::p2p {

namespace {

constexpr size_t kPingBytes = 32;
constexpr auto kPingIdle = std::chrono::minutes(2);
constexpr auto kPushDelay = std::chrono::milliseconds(100);

Bytes framed(const IdentifyMessage& message) {
  const Bytes body = encode_identify(message);
  Bytes out;
  append_varint(out, body.size());
  return out + body;
}

Task<void> serve_identify(CorePtr core, StreamPtr stream) {
  const auto own = std::static_pointer_cast<HostStream>(stream);
  stream->set_deadline(core->now() + std::chrono::duration_cast<SteadyTime::duration>(
                                         core->options.identify_timeout));
  Bytes answer = framed(core->own_identify(own->connection()->remote));
  auto written = co_await stream->write(std::move(answer));
  if (!written) {
    co_return;
  }
  auto closed = co_await stream->close_write();
  if (closed) {
    // Until the other side has closed too; else going out of scope would reset the stream.
    auto end = co_await stream->read_some(1);
    static_cast<void>(end);
  }
}

Task<void> take_identified(CorePtr core, ConnectionPtr connection, IdentifyMessage message) {
  core->identified(connection, message);
  co_return;
}

Task<void> serve_push(CorePtr core, StreamPtr stream) {
  const auto own = std::static_pointer_cast<HostStream>(stream);
  stream->set_deadline(core->now() + std::chrono::duration_cast<SteadyTime::duration>(
                                         core->options.identify_timeout));
  auto message = co_await read_identify(own->channel());
  if (!message) {
    stream->reset();
    co_return;
  }
  auto closed = co_await stream->close_write();
  static_cast<void>(closed);
  core->launch(core->home, take_identified(core, own->connection(), *std::move(message)),
               "taking in what a peer pushed");
}

Task<void> serve_ping(CorePtr core, StreamPtr stream) {
  Bytes block;
  for (;;) {
    stream->set_deadline(core->now() + kPingIdle);
    while (block.size() < kPingBytes) {
      auto piece = co_await stream->read_some(kPingBytes - block.size());
      if (!piece || piece->empty()) {
        auto closed = co_await stream->close_write();
        static_cast<void>(closed);
        co_return;
      }
      block += *piece;
    }
    auto written = co_await stream->write(std::exchange(block, Bytes()));
    if (!written) {
      co_return;
    }
  }
}

struct OwnHandler {
  std::weak_ptr<HostCore> core;
  Task<void> (*serve)(CorePtr, StreamPtr);
  Task<void> operator()(StreamPtr stream) const { return serve(core.lock(), std::move(stream)); }
};

// On the connection's strand.
Task<Result<IdentifyMessage>> ask(CorePtr core, ConnectionPtr connection) {
  const SteadyTime deadline = core->now() + std::chrono::duration_cast<SteadyTime::duration>(
                                                core->options.identify_timeout);
  std::vector<std::string> protocols;
  protocols.emplace_back(kIdentifyProtocol);
  auto stream =
      co_await HostCore::open_on(core, connection, std::move(protocols), deadline, core->stopped());
  if (!stream) {
    co_return fail(std::move(stream).error());
  }
  (*stream)->set_deadline(deadline);
  auto closed = co_await (*stream)->close_write();
  if (!closed) {
    co_return fail(std::move(closed).error());
  }
  const auto own = std::static_pointer_cast<HostStream>(*stream);
  auto message = co_await read_identify(own->channel());
  co_return message;
}

Task<void> push_to(CorePtr core, ConnectionPtr connection) {
  const SteadyTime deadline = core->now() + std::chrono::duration_cast<SteadyTime::duration>(
                                                core->options.identify_timeout);
  std::vector<std::string> protocols;
  protocols.emplace_back(kIdentifyPushProtocol);
  auto stream =
      co_await HostCore::open_on(core, connection, std::move(protocols), deadline, core->stopped());
  if (!stream) {
    co_return;
  }
  (*stream)->set_deadline(deadline);
  Bytes message = framed(core->own_identify(connection->remote));
  auto written = co_await (*stream)->write(std::move(message));
  if (!written) {
    co_return;
  }
  auto closed = co_await (*stream)->close_write();
  if (closed) {
    auto end = co_await (*stream)->read_some(1);
    static_cast<void>(end);
  }
}

Task<void> push_to_all(CorePtr core) {
  const Status slept = co_await sleep_for(kPushDelay, core->stopped());
  core->push_scheduled = false;
  if (!slept) {
    co_return;
  }
  std::vector<ConnectionPtr> targets;
  {
    const std::lock_guard lock(core->mutex);
    for (const auto& [peer, state] : core->peers) {
      if (!state.connections.empty() && state.info && state.info->speaks(kIdentifyPushProtocol)) {
        targets.push_back(state.connections.front());
      }
    }
  }
  for (const ConnectionPtr& connection : targets) {
    core->launch(connection->strand, push_to(core, connection), "pushing our identity");
  }
}

}  // namespace

void HostCore::add_own_handlers() {
  const std::lock_guard lock(mutex);
  handlers.insert_or_assign(std::string(kIdentifyProtocol),
                            OwnHandler{weak_from_this(), serve_identify});
  handlers.insert_or_assign(std::string(kIdentifyPushProtocol),
                            OwnHandler{weak_from_this(), serve_push});
  handlers.insert_or_assign(std::string(kPingProtocol), OwnHandler{weak_from_this(), serve_ping});
}

std::vector<Multiaddr> HostCore::announced_addresses() const {
  std::vector<Multiaddr> out = options.announce;
  if (out.empty()) {
    std::vector<Multiaddr> bound;
    {
      const std::lock_guard lock(mutex);
      bound = listening;
    }
    out = concrete_addresses(bound);
  }
  std::erase_if(out, [&](const Multiaddr& a) {
    return std::find(options.no_announce.begin(), options.no_announce.end(), a) !=
           options.no_announce.end();
  });
  return out;
}

IdentifyMessage HostCore::own_identify(const Multiaddr& observed) const {
  IdentifyMessage message;
  message.key = options.identity.public_key();
  message.listen_addresses = announced_addresses();
  message.observed = observed;
  message.agent_version = options.agent_version;
  const std::lock_guard lock(mutex);
  for (const auto& [protocol, handler] : handlers) {
    message.protocols.push_back(protocol);
  }
  return message;
}

Task<void> HostCore::identify(CorePtr core, ConnectionPtr connection) {
  auto message = co_await ask(core, connection);
  if (!message) {
    if (!connection->closed) {
      core->stats.identify_failures.fetch_add(1, std::memory_order_relaxed);
      log_debug("p2p", "identify of {}: {}", connection->peer, message.error().message());
    }
    co_return;
  }
  Task<void> take = take_identified(core, connection, *std::move(message));
  co_await asio::co_spawn(core->home, std::move(take), asio::use_awaitable);
}

void HostCore::identified(const ConnectionPtr& connection, const IdentifyMessage& message) {
  auto addresses = identified_addresses(message, connection->peer);
  if (!is_loopback(connection->remote)) {
    std::erase_if(addresses, is_loopback);
  }
  auto fresh = std::make_shared<PeerInfo>();
  fresh->protocols = message.protocols;
  fresh->agent_version = message.agent_version;
  {
    const std::lock_guard lock(mutex);
    const auto it = peers.find(connection->peer);
    if (it == peers.end()) {
      return;  // gone meanwhile
    }
    it->second.info = std::move(fresh);
  }
  book.identified(connection->peer, addresses,
                  connection->dialler ? connection->remote : Multiaddr(), now());
  book.set_connected(connection->peer, true, now());
}

void HostCore::schedule_push() {
  if (!push_scheduled && !stopping()) {
    push_scheduled = true;
    launch(home, push_to_all(shared_from_this()), "pushing our identity");
  }
}

}  // namespace ica::p2p
