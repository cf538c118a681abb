#include <algorithm>

#include "agent/p2p/host_core.h"
#include "common/base/log.h"

namespace ica::p2p {

namespace {

// Two connections that came up within this time of each other are taken for simultaneous dials.
constexpr auto kSimultaneous = std::chrono::seconds(10);
// How often a superseded connection is looked at.
constexpr auto kDrainPoll = std::chrono::seconds(2);
// How long the dialler that may be overtaken by the other side's dial waits for it, before it tells
// anybody of the connection.
constexpr auto kSettle = std::chrono::milliseconds(150);

// Counts itself off when the coroutine's frame goes, also when the context is torn down.
struct Counted {
  explicit Counted(CorePtr c) : core(std::move(c)) {}
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    if (core->coroutines.fetch_sub(1) == 1) {
      core->idle.notify_all();
    }
  }
  CorePtr core;
};

Task<void> run_counted(CorePtr core, Task<void> task) {
  const Counted counted(std::move(core));
  co_await std::move(task);
}

void note_violation(HostCore& core, const Connection& connection, const Error& why) {
  const std::string_view text = why.message();
  if (!text.starts_with("yamux: ") && !text.starts_with("noise: ")) {
    return;
  }
  core.stats.violations.fetch_add(1);
  static LogLimiter limiter(1, std::chrono::minutes(1));
  uint64_t held_back = 0;
  if (limiter.allow(connection.peer.bytes(), &held_back)) {
    log_warn("p2p", "peer {} at {} broke the protocol, disconnected: {}{}", connection.peer,
             connection.remote, text,
             held_back > 0 ? fmt::format(" ({} more times)", held_back) : std::string());
  }
}

struct OnStream {
  std::weak_ptr<HostCore> core;
  std::weak_ptr<Connection> connection;
  void operator()(yamux::YamuxStreamPtr stream) const {
    const auto c = core.lock();
    auto on = connection.lock();
    if (!c || !on || c->stopping()) {
      return;  // the stream is reset by going out of scope
    }
    const auto limit = static_cast<int64_t>(c->options.max_inbound_streams);
    if (c->stats.open_inbound_streams.load(std::memory_order_relaxed) + c->negotiating.load() >=
        limit) {
      c->stats.streams_refused.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    const Executor strand = on->strand;
    c->launch(strand, HostCore::serve_stream(c, std::move(on), std::move(stream)),
              "serving a stream");
  }
};

struct OnClose {
  std::weak_ptr<HostCore> core;
  std::weak_ptr<Connection> connection;
  void operator()(const Error& why) const {
    const auto c = core.lock();
    auto on = connection.lock();
    if (!c || !on) {
      return;
    }
    on->closed = true;
    asio::post(c->home, [c, on, why] { c->removed(on, why); });
  }
};

// On the session's strand.
Task<void> close_if_unused(std::shared_ptr<yamux::Session> session) {
  if (session->streams() == 0) {
    session->close(yamux::GoAwayCode::Normal, "superseded by another connection");
    co_return;
  }
  // The other end may be dead, and its streams with it.
  auto answered = co_await session->ping();
  if (!answered) {
    session->close(yamux::GoAwayCode::Normal, "superseded by another connection, and dead");
  }
}

Task<void> settle(CorePtr core, PeerId peer, bool dialled) {
  // When both sides dial, the connection that the smaller ID dialled stays. Streams that live as
  // long as the connection should be opened on that one.
  if (core->self < peer) {
    const auto dial = core->dials.find(peer);
    if (dial != core->dials.end()) {
      const std::shared_ptr<Dial> own = dial->second;
      while (!own->finished && !core->stopping()) {
        const bool notified = co_await own->done.wait(core->options.dial_timeout, core->stopped());
        if (!notified) {
          break;
        }
      }
    }
  } else if (dialled) {
    const Status slept = co_await sleep_for(kSettle, core->stopped());
    static_cast<void>(slept);
  }
  core->announce(peer);
}

// Runs on the connection's strand.
Task<void> begin(CorePtr core, ConnectionPtr connection) {
  connection->session->start(OnStream{core, connection}, OnClose{core, connection});
  co_await HostCore::identify(core, connection);
  if (!connection->closed) {
    core->launch(core->home, settle(core, connection->peer, connection->dialler),
                 "announcing a peer");
  }
}

}  // namespace

std::shared_ptr<AddressSlots::Slot> AddressSlots::take(const std::shared_ptr<AddressSlots>& slots,
                                                       const std::string& ip, size_t limit) {
  const std::lock_guard lock(slots->mutex_);
  size_t& used = slots->used_[ip];
  if (used >= limit) {
    return nullptr;
  }
  ++used;
  return std::make_shared<Slot>(slots, ip);
}

void AddressSlots::release(const std::string& ip) {
  const std::lock_guard lock(mutex_);
  if (const auto it = used_.find(ip); it != used_.end() && --it->second == 0) {
    used_.erase(it);
  }
}

void HostCore::launch(Executor executor, Task<void> task, const char* what) {
  coroutines.fetch_add(1);
  spawn(std::move(executor), run_counted(shared_from_this(), std::move(task)), what);
}

ConnectionPtr HostCore::preferred(const PeerId& peer) const {
  const std::lock_guard lock(mutex);
  const auto it = peers.find(peer);
  if (it == peers.end()) {
    return nullptr;
  }
  for (const ConnectionPtr& connection : it->second.connections) {
    if (!connection->closed) {
      return connection;
    }
  }
  return nullptr;
}

void HostCore::close(const ConnectionPtr& connection, std::string why) {
  asio::post(connection->strand, [connection, why = std::move(why)] {
    connection->session->close(yamux::GoAwayCode::Normal, why);
  });
}

bool HostCore::adopt(ConnectionPtr connection) {
  std::string refusal;
  if (stopping()) {
    refusal = "shutting down";
  } else if (connection->peer == self) {
    refusal = "connected to ourselves";
  } else if (stats.connections.load() >= options.max_connections) {
    refusal = "too many connections";
    stats.count(!connection->dialler, ConnectFailure::Limit);
  }
  const ConnectionPtr present = preferred(connection->peer);
  bool wins = true;
  if (refusal.empty() && present) {
    if (connection->since - present->since < kSimultaneous &&
        connection->dialler != present->dialler) {
      // Both sides dialled: both keep the one that the peer with the smaller ID has dialled.
      wins = connection->dialler == (self < connection->peer);
    } else if (connection->dialler) {
      refusal = "connected already";
    }
    // A peer that dials although we hold a connection has lost its end of that one.
  }
  if (!refusal.empty()) {
    connection->closed = true;
    close(connection, refusal);
    return false;
  }
  {
    const std::lock_guard lock(mutex);
    auto& list = peers[connection->peer].connections;
    list.insert(wins ? list.begin() : list.end(), connection);
  }
  stats.connections.fetch_add(1);
  (connection->dialler ? stats.dialled : stats.accepted).fetch_add(1);
  back_offs.erase(connection->peer);
  book.set_connected(connection->peer, true, now());
  if (present) {
    const ConnectionPtr& loser = wins ? present : connection;
    if (!loser->draining) {
      loser->draining = true;
      launch(home, drain(shared_from_this(), loser), "draining a connection");
    }
  }
  log_debug("p2p", "connected to {} at {} ({})", connection->peer, connection->remote,
            connection->dialler ? "dialled" : "accepted");
  const Executor strand = connection->strand;
  launch(strand, begin(shared_from_this(), std::move(connection)), "identify");
  trim();
  return true;
}

void HostCore::removed(const ConnectionPtr& connection, const Error& why) {
  bool gone = false;
  bool announced = false;
  {
    const std::lock_guard lock(mutex);
    const auto it = peers.find(connection->peer);
    if (it == peers.end() || std::erase(it->second.connections, connection) == 0) {
      return;
    }
    if (it->second.connections.empty()) {
      gone = true;
      announced = it->second.announced;
      peers.erase(it);
    }
  }
  note_violation(*this, *connection, why);
  stats.connections.fetch_sub(1);
  log_debug("p2p", "connection to {} at {} ended: {}", connection->peer, connection->remote,
            why.message());
  if (!gone) {
    return;
  }
  book.set_connected(connection->peer, false, now());
  if (announced) {
    for (const PeerEvents& events : subscribers) {
      if (events.disconnected) {
        events.disconnected(connection->peer);
      }
    }
  }
  keeper_wakes.notify_all();
}

void HostCore::announce(const PeerId& peer) {
  {
    const std::lock_guard lock(mutex);
    const auto it = peers.find(peer);
    if (it == peers.end() || it->second.announced) {
      return;
    }
    it->second.announced = true;
  }
  for (const PeerEvents& events : subscribers) {
    if (events.connected) {
      events.connected(peer);
    }
  }
}

// Keeps a superseded connection until nobody uses it, so that no stream breaks.
Task<void> HostCore::drain(CorePtr core, ConnectionPtr connection) {
  const StopToken token = core->stopped();
  while (!connection->closed && !token.stop_requested()) {
    const Status slept = co_await sleep_for(kDrainPoll, token);
    if (!slept) {
      break;
    }
    if (core->preferred(connection->peer) == connection) {
      break;  // the other one has ended
    }
    Task<void> closing = close_if_unused(connection->session);
    co_await asio::co_spawn(connection->strand, std::move(closing), asio::use_awaitable);
  }
  connection->draining = false;
}

void HostCore::trim() {
  if (stats.connections.load() <= options.high_water) {
    return;
  }
  std::vector<ConnectionPtr> candidates;
  {
    const std::lock_guard lock(mutex);
    for (const auto& [peer, state] : peers) {
      for (const ConnectionPtr& connection : state.connections) {
        if (protected_peers.count(peer) == 0 && now() - connection->since > options.trim_grace) {
          candidates.push_back(connection);
        }
      }
    }
  }
  // The ones that were there longest have proved their worth.
  std::sort(candidates.begin(), candidates.end(),
            [](const ConnectionPtr& a, const ConnectionPtr& b) { return a->since > b->since; });
  size_t surplus =
      stats.connections.load() - std::min<size_t>(stats.connections.load(), options.low_water);
  for (const ConnectionPtr& connection : candidates) {
    if (surplus-- == 0) {
      break;
    }
    close(connection, "trimmed: too many connections");
  }
}

}  // namespace ica::p2p
