#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/api/peer.h"
#include "common/base/clock.h"

namespace ica::monitor {

inline constexpr std::string_view kPing = "ping";

// What peers tell of themselves in the value of their ping metric.
struct PingValue {
  std::string peername;
  PeerId ipfs_id;
  std::vector<Multiaddr> ipfs_addresses;
};

// The last metrics of every peer, and alerts for those that stopped coming. Memory: 25 metrics per
// name and peer, at most 1,000 alerts (the oldest go first), at most 64 names a peer and 20,000
// peers. Thread-safety: all methods from any thread.
class Monitor {
 public:
  static constexpr size_t kWindow = 25;
  static constexpr size_t kMaxAlerts = 1000;
  static constexpr size_t kMaxNames = 64;
  static constexpr size_t kMaxPeers = 20000;

  explicit Monitor(const Clock& clock) : clock_(clock) {}

  // Takes a metric, ours or another peer's; received_at is set here. False when it is invalid,
  // expired or over a bound, and then it is not kept.
  bool add(api::Metric metric);

  // Valid, unexpired last metrics of one name, by peer ID.
  std::vector<api::Metric> latest(std::string_view name) const;
  // The last metric of one peer, expired or not.
  std::optional<api::Metric> last_of(std::string_view name, const PeerId& peer) const;
  // Names that anybody ever sent, sorted.
  std::vector<std::string> names() const;
  // When each peer's last ping ran or runs out, by ID.
  struct Seen {
    PeerId peer;
    Time expire;
  };
  std::vector<Seen> seen() const;
  // Peers with an unexpired ping, by ID.
  std::vector<PeerId> alive() const;
  // From the peer's last ping, expired or not; empty for a peer never heard of.
  PingValue ping_of(const PeerId& peer) const;

  // Raises an alert for each last metric that expired since it was last seen; once until it
  // returns. Returns the new ones. Call it every check_interval.
  std::vector<api::Alert> check();
  // Peers whose ping has come again after an alert, since the last call.
  std::vector<PeerId> take_returned();
  // Newest first.
  std::vector<api::Alert> alerts() const;
  void forget(const PeerId& peer);

 private:
  struct Series {
    std::deque<api::Metric> window;  // newest last
    bool alerted = false;
  };
  using ByPeer = std::map<PeerId, Series>;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, ByPeer, std::less<>> metrics_;
  std::map<PeerId, PingValue> pings_;
  std::deque<api::Alert> alerts_;  // oldest first
  std::vector<PeerId> returned_;
};

// The value of a ping metric, and back. Unknown keys are ignored; unreadable text gives empty
// fields.
std::string encode_ping(const PingValue& value);
PingValue decode_ping(std::string_view json);

}  // namespace ica::monitor
