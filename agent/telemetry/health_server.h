#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "agent/telemetry/sources.h"
#include "common/codec/multiaddr.h"

namespace ica::telemetry {

// What the probes answer from. Written by the daemon's parts, read by the health threads.
// Thread-safety: all methods from any thread.
class Health {
 public:
  // The event loops prove by regular calls that they are not stuck.
  void beat() { last_beat_.store(now(), std::memory_order_relaxed); }
  // Whether the store is open and its disk takes changes.
  void set_store_usable(bool usable) { store_usable_.store(usable, std::memory_order_relaxed); }
  void set_stopping() { stopping_.store(true, std::memory_order_relaxed); }
  // Whether Kubo answers; asked at each probe. May be set and cleared at any time.
  void set_kubo(std::function<bool()> reachable);

  // No beat for kStuckAfter means that the process should be restarted.
  static constexpr std::chrono::seconds kStuckAfter{30};
  bool alive() const;
  struct Readiness {
    bool store = false;
    bool kubo = false;
    bool stopping = false;
    bool ready() const { return store && kubo && !stopping; }
  };
  Readiness readiness() const;

 private:
  static int64_t now();

  std::atomic<int64_t> last_beat_{now()};
  std::atomic<bool> store_usable_{false};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::function<bool()> kubo_;
};

// Port 8888 on threads of its own, so that probes are answered when everything else is busy:
//   /healthz  200 while the event loops turn, else 503
//   /readyz   200 when the store can be used and our Kubo answers, else 503; JSON that says what is
//             missing
//   /metrics  Prometheus text, or 404 when the statistics are switched off
// Thread-safety: all methods from any thread.
class HealthServer {
 public:
  HealthServer(const Health& health, bool metrics);
  ~HealthServer();
  HealthServer(const HealthServer&) = delete;
  HealthServer& operator=(const HealthServer&) = delete;

  // Returns the bound port; port 0 picks a free one. Errors: InvalidArgument (not an IP address
  // with a TCP port), Unavailable (the port is taken).
  Result<uint16_t> start(const Multiaddr& address);
  // From here on /metrics shows these; empty Sources before they go away.
  void set_sources(Sources sources);
  // Returns within about a second.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ica::telemetry
