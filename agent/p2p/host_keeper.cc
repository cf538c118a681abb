#include <algorithm>

#include "agent/p2p/host_core.h"
#include "agent/p2p/listen_addresses.h"
#include "agent/p2p/resolver.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/offload.h"
#include "common/crypto/random.h"

namespace ica::p2p {

namespace {

constexpr size_t kMaxDialsAtOnce = 16;
constexpr auto kIdleCheck = std::chrono::seconds(30);
constexpr size_t kMaxPeerstoreFile = 4 << 20;

// Between three quarters and five quarters of `d`.
Duration jittered(Duration d) {
  return d * (750 + random_below(501)) / 1000;
}

// When a known peer is tried next.
struct Attempt {
  SteadyTime next;
  int failures = 0;
  bool dialling = false;
};
using Attempts = std::map<PeerId, Attempt>;

Task<void> reconnect(CorePtr core, std::shared_ptr<Attempts> attempts, PeerId peer) {
  const SteadyTime deadline =
      core->now() + std::chrono::duration_cast<SteadyTime::duration>(core->options.dial_timeout +
                                                                     std::chrono::seconds(1));
  auto connection = co_await HostCore::connection_to(core, peer, deadline, core->stopped(), true);
  Attempt& attempt = (*attempts)[peer];
  attempt.dialling = false;
  if (connection) {
    attempt.failures = 0;
  } else {
    attempt.failures = std::min(attempt.failures + 1, 16);
    log_debug("p2p", "{}", connection.error().message());
  }
  const Duration pause =
      std::min(core->options.reconnect_max,
               core->options.reconnect_min * (1 << std::min(attempt.failures, 16)));
  attempt.next = core->now() + std::chrono::duration_cast<SteadyTime::duration>(jittered(pause));
  core->keeper_wakes.notify_all();
}

// The first attempt at a peer that we see unconnected. Of two peers that lose each other, the one
// with the smaller ID dials at once and the other one a little later, so that they rarely meet.
Duration first_delay(const CorePtr& core, const PeerId& peer) {
  const auto at_most =
      core->self < peer ? std::chrono::milliseconds(50) : std::chrono::milliseconds(700);
  return jittered(std::min<Duration>(core->options.reconnect_min, at_most));
}

struct NamedTarget {
  std::string host;
  uint16_t port;
};

NamedTarget split_name(const std::string& name, uint16_t default_port) {
  const size_t colon = name.rfind(':');
  if (colon != std::string::npos && colon + 1 < name.size() &&
      name.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    const unsigned long port = std::stoul(name.substr(colon + 1, 5));
    if (port > 0 && port <= 65535) {
      return {name.substr(0, colon), static_cast<uint16_t>(port)};
    }
  }
  return {name, default_port};
}

// What the addresses behind a name have turned out to be.
struct Seen {
  PeerId peer;  // empty: unknown
  int failures = 0;
  SteadyTime next;
};
using SeenTable = std::map<Multiaddr, Seen>;

Task<void> try_address(CorePtr core, std::shared_ptr<SeenTable> seen, Multiaddr address) {
  const SteadyTime deadline =
      core->now() + std::chrono::duration_cast<SteadyTime::duration>(core->options.dial_timeout);
  auto peer = co_await HostCore::connect_address(core, address, deadline, core->stopped());
  const auto it = seen->find(address);
  if (it == seen->end()) {
    co_return;
  }
  if (peer) {
    it->second.peer = *peer;
    it->second.failures = 0;
  } else {
    it->second.failures = std::min(it->second.failures + 1, 8);
  }
  const Duration pause = std::min(core->options.reconnect_max,
                                  core->options.reconnect_min * (1 << it->second.failures));
  it->second.next = core->now() + std::chrono::duration_cast<SteadyTime::duration>(jittered(pause));
}

struct WritePeerstore {
  std::filesystem::path path;
  Bytes text;
  Status operator()() const { return write_file(path, text, 0644); }
};

bool is_own(const std::vector<Multiaddr>& own, const Multiaddr& address) {
  return std::find(own.begin(), own.end(), address) != own.end();
}

}  // namespace

void HostCore::load_peers() {
  for (const Multiaddr& address : options.peer_addresses) {
    if (auto added = book.add(address, AddressSource::Permanent, now()); !added) {
      log_warn("p2p", "peer_addresses: {}", added.error().message());
    }
  }
  if (options.peerstore.empty()) {
    return;
  }
  auto text = read_file(options.peerstore, kMaxPeerstoreFile);
  if (!text) {
    if (text.error().code() != Code::NotFound) {
      log_warn("p2p", "peerstore file: {}", text.error().message());
    }
    return;
  }
  if (const size_t unreadable = book.load_peerstore(*text, now()); unreadable > 0) {
    log_warn("p2p", "peerstore file: {} addresses cannot be read", unreadable);
  }
  saved_peerstore = *std::move(text);
}

Task<void> HostCore::keep_connected(CorePtr core) {
  const StopToken token = core->stopped();
  auto attempts = std::make_shared<Attempts>();
  while (!token.stop_requested()) {
    const SteadyTime now = core->now();
    SteadyTime wake = now + kIdleCheck;
    size_t dialling = 0;
    for (const auto& [peer, attempt] : *attempts) {
      dialling += attempt.dialling ? 1 : 0;
    }
    const std::vector<PeerId> known = core->book.peers(now);
    for (const PeerId& peer : known) {
      if (core->preferred(peer)) {
        if (const auto it = attempts->find(peer); it != attempts->end() && !it->second.dialling) {
          attempts->erase(it);
        }
        continue;
      }
      const auto [it, fresh] = attempts->try_emplace(peer);
      Attempt& attempt = it->second;
      if (fresh) {
        attempt.next =
            now + std::chrono::duration_cast<SteadyTime::duration>(first_delay(core, peer));
      }
      if (attempt.dialling) {
        continue;
      }
      if (attempt.next <= now && dialling < kMaxDialsAtOnce) {
        attempt.dialling = true;
        ++dialling;
        core->launch(core->home, reconnect(core, attempts, peer), "reconnecting");
      } else if (attempt.next > now) {
        wake = std::min(wake, attempt.next);
      }
    }
    std::erase_if(*attempts, [&](const auto& entry) {
      return !entry.second.dialling && !std::binary_search(known.begin(), known.end(), entry.first);
    });
    co_await core->keeper_wakes.wait(wake - now, token);
  }
}

Task<void> HostCore::follow_name(CorePtr core, std::string name) {
  static LogLimiter limiter(1, std::chrono::minutes(5));
  const StopToken token = core->stopped();
  const NamedTarget target = split_name(name, core->options.default_port);
  auto seen = std::make_shared<SeenTable>();
  while (!token.stop_requested()) {
    auto found = co_await resolve_name(target.host, target.port, AddressFamily::Any,
                                       std::chrono::seconds(10), token);
    if (!found && found.error().code() != Code::Cancelled && limiter.allow(name)) {
      log_warn("p2p", "bootstrap: {}", found.error().message());
    }
    if (found) {
      SeenTable still;
      const auto own = core->announced_addresses();
      for (const auto& endpoint : *found) {
        const Multiaddr address = to_multiaddr(endpoint);
        if (!is_own(own, address)) {
          const auto before = seen->find(address);
          still[address] = before == seen->end() ? Seen() : before->second;
        }
      }
      *seen = std::move(still);
      for (auto& [address, entry] : *seen) {
        const bool ours = entry.peer == core->self;
        const bool connected = !entry.peer.empty() && core->preferred(entry.peer);
        if (ours || connected || entry.next > core->now()) {
          continue;
        }
        entry.next = core->now() + std::chrono::hours(1);  // until the attempt has ended
        core->launch(core->home, try_address(core, seen, address), "dialling behind a name");
      }
    }
    // Often while nobody is there, because this is how a cluster finds itself at the start.
    const bool alone = core->stats.connections.load() == 0;
    const Duration pause =
        alone ? std::min<Duration>(core->options.resolve_interval, std::chrono::seconds(1))
              : core->options.resolve_interval;
    const Status slept = co_await sleep_for(jittered(pause), token);
    static_cast<void>(slept);
  }
}

Task<Status> HostCore::save(CorePtr core) {
  if (core->options.peerstore.empty()) {
    co_return Status();
  }
  Bytes text = core->book.peerstore(core->now());
  if (text == core->saved_peerstore) {
    co_return Status();
  }
  Status written;
  if (core->options.disk) {
    const WritePeerstore job{core->options.peerstore, text};
    written = co_await run_on(core->options.disk, job);
  } else {
    written = write_file(core->options.peerstore, text, 0644);
  }
  if (written) {
    core->saved_peerstore = std::move(text);
  } else {
    log_warn("p2p", "peerstore file: {}", written.error().message());
  }
  co_return written;
}

Task<void> HostCore::save_now_and_then(CorePtr core) {
  const StopToken token = core->stopped();
  while (!token.stop_requested()) {
    const Status slept = co_await sleep_for(core->options.save_interval, token);
    if (!slept) {
      break;
    }
    auto saved = co_await save(core);
    static_cast<void>(saved);
  }
}

}  // namespace ica::p2p
