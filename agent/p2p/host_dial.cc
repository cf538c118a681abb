#include <algorithm>

#include "agent/p2p/host_core.h"
#include "agent/p2p/listen_addresses.h"
#include "common/base/log.h"

namespace ica::p2p {

namespace {

using asio::ip::tcp;

// Between the starts of the attempts at one peer's addresses.
constexpr auto kStagger = std::chrono::milliseconds(100);
constexpr size_t kMaxAttempts = 16;
constexpr auto kBackOffMin = std::chrono::milliseconds(500);
constexpr auto kBackOffMax = std::chrono::seconds(15);

// Attempts at several addresses; the first that succeeds ends the others. Home strand.
struct Race {
  explicit Race(Executor home) : changed(std::move(home)) {}
  Event changed;
  size_t running = 0;
  ConnectionPtr winner;
  std::vector<std::string> failures;
  std::optional<Error> worst;  // the failure that says most
  StopSource stop;
};

struct StopRace {
  std::shared_ptr<Race> race;
  void operator()() const { race->stop.request_stop(); }
};

int weight(Code code) {
  switch (code) {
    case Code::PermissionDenied:
      return 4;
    case Code::Unauthorized:
      return 3;
    case Code::Protocol:
    case Code::Unsupported:
      return 2;
    case Code::Timeout:
      return 1;
    default:
      return 0;
  }
}

// Runs on a strand of its own, which becomes the connection's.
Task<Result<ConnectionPtr>> dial_endpoint(CorePtr core, tcp::endpoint endpoint,
                                          std::optional<PeerId> expected, SteadyTime deadline,
                                          StopToken stop) {
  const Executor strand = co_await asio::this_coro::executor;
  const std::vector<Bytes> secrets = core->current_secrets();
  const size_t tries = std::max<size_t>(1, secrets.size());
  Error last(Code::Unavailable, "not tried");
  for (size_t i = 0; i < tries; ++i) {
    // A peer that holds another secret may just never answer: leave time for the next one.
    const auto share = (deadline - core->now()) / static_cast<int>(tries - i);
    const SteadyTime until = core->now() + share;
    auto channel = co_await tcp_connect(endpoint, until, core->bytes, stop);
    if (!channel) {
      co_return fail(std::move(channel).error());
    }
    UpgradeOptions options(core->options.identity);
    if (!secrets.empty()) {
      options.secrets.push_back(secrets[i]);
    }
    options.expected = expected;
    const Multiaddr remote = (*channel)->remote();
    const ChannelPtr raw = *channel;
    auto upgraded = co_await upgrade(raw, std::move(options), until, stop);
    if (upgraded) {
      auto connection = std::make_shared<Connection>();
      connection->peer = upgraded->peer;
      connection->strand = strand;
      connection->dialler = true;
      connection->remote = remote;
      connection->since = core->now();
      connection->secret = i;
      connection->session =
          std::make_shared<yamux::Session>(upgraded->channel, true, strand, core->options.yamux);
      co_return connection;
    }
    last = std::move(upgraded).error();
    if (last.code() != Code::PermissionDenied) {
      break;
    }
  }
  co_return fail(std::move(last));
}

void note_failure(const CorePtr& core, const std::optional<PeerId>& peer, const Multiaddr& address,
                  const Error& error) {
  if (error.code() == Code::Cancelled) {
    return;
  }
  core->stats.count(false, connect_failure(error));
  static LogLimiter limiter(1, std::chrono::minutes(5));
  if (error.code() == Code::PermissionDenied && limiter.allow(address.text())) {
    const std::string who = peer ? fmt::format("{} at {}", *peer, address) : address.text();
    log_warn("p2p", "peer {}: {}", who, error.message());
  }
}

Task<void> attempt(CorePtr core, std::shared_ptr<Race> race, std::optional<PeerId> peer,
                   Multiaddr address, Duration delay, SteadyTime deadline) {
  const StopToken stop = race->stop.get_token();
  Result<ConnectionPtr> outcome = fail(Code::Cancelled, "cancelled");
  const Status waited = co_await sleep_for(delay, stop);
  if (waited) {
    auto endpoints = co_await tcp_resolve(address, deadline - core->now(), stop);
    if (!endpoints) {
      outcome = fail(std::move(endpoints).error());
    } else {
      for (size_t i = 0; i < endpoints->size() && !stop.stop_requested(); ++i) {
        const auto share = (deadline - core->now()) / static_cast<int>(endpoints->size() - i);
        const Executor strand = asio::make_strand(core->net);
        Task<Result<ConnectionPtr>> dial =
            dial_endpoint(core, (*endpoints)[i], peer, core->now() + share, stop);
        outcome = co_await asio::co_spawn(strand, std::move(dial), asio::use_awaitable);
        if (outcome) {
          break;
        }
      }
    }
  }
  --race->running;
  if (outcome && !race->winner && !core->stopping()) {
    race->winner = *outcome;
    race->stop.request_stop();
    core->book.worked((*outcome)->peer, address);
  } else if (outcome) {
    HostCore::close(*outcome, "another attempt was faster");
  } else {
    note_failure(core, peer, address, outcome.error());
    race->failures.push_back(fmt::format("\n  * [{}] {}", address, outcome.error().message()));
    if (!race->worst || weight(outcome.error().code()) > weight(race->worst->code())) {
      race->worst = outcome.error();
    }
  }
  race->changed.notify_all();
}

Task<Result<ConnectionPtr>> run_race(CorePtr core, std::optional<PeerId> peer,
                                     std::vector<Multiaddr> addresses, SteadyTime deadline,
                                     StopToken stop) {
  auto race = std::make_shared<Race>(core->home);
  std::stop_callback on_stop(stop, StopRace{race});
  if (addresses.size() > kMaxAttempts) {
    addresses.resize(kMaxAttempts);
  }
  race->running = addresses.size();
  Duration delay{};
  for (const Multiaddr& address : addresses) {
    core->launch(core->home, attempt(core, race, peer, address, delay, deadline), "dialling");
    delay += kStagger;
  }
  // Attempts end by themselves at the deadline; a second more is for their endings.
  const SteadyTime patience = deadline + std::chrono::seconds(1);
  while (race->running > 0 && !race->winner && core->now() < patience) {
    co_await race->changed.wait(patience - core->now());
  }
  race->stop.request_stop();
  if (race->winner) {
    co_return race->winner;
  }
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  const Code code = race->worst ? race->worst->code() : Code::Timeout;
  co_return fail(code == Code::Closed ? Code::Unavailable : code, "all dials failed{}",
                 fmt::join(race->failures, ""));
}

}  // namespace

Task<void> HostCore::run_dial(CorePtr core, PeerId peer, std::shared_ptr<Dial> dial) {
  const auto addresses = core->book.addresses(peer, core->now());
  Result<ConnectionPtr> outcome = fail(Code::Unavailable, "no addresses");
  if (!addresses.empty()) {
    const SteadyTime deadline =
        core->now() + std::chrono::duration_cast<SteadyTime::duration>(core->options.dial_timeout);
    const std::optional<PeerId> expected = peer;
    outcome = co_await run_race(core, expected, addresses, deadline, core->stopped());
  }
  core->dials.erase(peer);
  // The other side's dial may have come in first.
  if (outcome) {
    core->adopt(*outcome);
  } else if (!core->preferred(peer)) {
    dial->error = Error(outcome.error().code(), fmt::format("failed to dial: failed to dial {}: {}",
                                                            peer, outcome.error().message()));
    BackOff& back_off = core->back_offs[peer];
    const auto pause = std::min<Duration>(kBackOffMax, kBackOffMin * (1 << back_off.failures));
    back_off.failures = std::min(back_off.failures + 1, 6);
    back_off.until = core->now() + pause;
    back_off.error = dial->error;
    if (core->back_offs.size() > AddressBook::kMaxPeers) {
      core->back_offs.erase(core->back_offs.begin());
    }
  }
  dial->finished = true;
  dial->done.notify_all();
}

Task<Result<ConnectionPtr>> HostCore::connection_to(CorePtr core, PeerId peer, SteadyTime deadline,
                                                    StopToken stop, bool ignore_back_off) {
  if (peer == core->self) {
    co_return fail(Code::InvalidArgument, "dial to self attempted");
  }
  for (;;) {
    if (core->stopping()) {
      co_return fail(Code::Closed, "shutting down");
    }
    if (auto present = core->preferred(peer)) {
      co_return present;
    }
    std::shared_ptr<Dial> dial;
    if (const auto it = core->dials.find(peer); it != core->dials.end()) {
      dial = it->second;
    } else {
      const auto back_off = core->back_offs.find(peer);
      if (!ignore_back_off && back_off != core->back_offs.end() &&
          core->now() < back_off->second.until) {
        co_return fail(*back_off->second.error);
      }
      dial = std::make_shared<Dial>(core->home);
      core->dials[peer] = dial;
      core->launch(core->home, run_dial(core, peer, dial), "dialling a peer");
    }
    while (!dial->finished && !core->preferred(peer)) {
      const auto left = deadline - core->now();
      if (left <= SteadyTime::duration::zero()) {
        co_return fail(Code::Timeout, "failed to dial: failed to dial {}: timed out", peer);
      }
      co_await dial->done.wait(left, stop);
      if (stop.stop_requested()) {
        co_return fail(Code::Cancelled, "cancelled");
      }
    }
    if (dial->error) {
      co_return fail(*dial->error);
    }
    if (!core->preferred(peer)) {
      co_return fail(Code::Unavailable, "failed to dial: failed to dial {}: connection lost", peer);
    }
  }
}

Task<Result<PeerId>> HostCore::connect_address(CorePtr core, Multiaddr address, SteadyTime deadline,
                                               StopToken stop) {
  std::vector<Multiaddr> addresses;
  addresses.push_back(address.without_peer());
  const std::optional<PeerId> expected = address.peer_id();
  auto outcome = co_await run_race(core, expected, addresses, deadline, stop);
  if (!outcome) {
    co_return fail(Code(outcome.error().code()), "failed to dial {}: {}", address,
                   outcome.error().message());
  }
  const PeerId peer = (*outcome)->peer;
  if (peer != core->self) {
    core->book.add(peer, addresses, AddressSource::Learned, core->now());
  }
  core->adopt(*outcome);
  co_return peer;
}

ConnectFailure connect_failure(const Error& error) {
  switch (error.code()) {
    case Code::PermissionDenied:
      return ConnectFailure::WrongSecret;
    case Code::Unauthorized:
      return ConnectFailure::WrongPeer;
    case Code::Unsupported:
      return ConnectFailure::Unsupported;
    case Code::Timeout:
      return ConnectFailure::Timeout;
    case Code::Closed:
      return ConnectFailure::Closed;
    case Code::Unavailable:
    case Code::Busy:
      return ConnectFailure::Unreachable;
    default:
      return ConnectFailure::Protocol;
  }
}

std::string_view to_string(ConnectFailure reason) {
  switch (reason) {
    case ConnectFailure::WrongSecret:
      return "wrong_secret";
    case ConnectFailure::WrongPeer:
      return "wrong_peer";
    case ConnectFailure::Protocol:
      return "protocol";
    case ConnectFailure::Unsupported:
      return "unsupported";
    case ConnectFailure::Timeout:
      return "timeout";
    case ConnectFailure::Closed:
      return "closed";
    case ConnectFailure::Unreachable:
      return "unreachable";
    case ConnectFailure::Limit:
      return "limit";
  }
  ICA_UNREACHABLE();
}

}  // namespace ica::p2p
