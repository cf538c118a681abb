#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/codec/peer_id.h"

namespace ica::cluster {

// What the operators want of a peer. Cordoned: it gets no new pins. Draining: its pins move
// elsewhere as well.
enum class PeerMode { Active, Cordoned, Draining };
std::string_view to_string(PeerMode mode);  // "active", "cordoned", "draining"
Result<PeerMode> parse_peer_mode(std::string_view text);

struct PeerOrder {
  PeerMode mode = PeerMode::Active;
  int64_t at = 0;  // UNIX milliseconds; of two orders for a peer the later one counts
  friend bool operator==(const PeerOrder&, const PeerOrder&) = default;
};
using PeerOrders = std::map<PeerId, PeerOrder>;

// The name of the metric by which agents like this one tell each other their part in orchestration.
// A tag, so that peers of the reference keep and show it as any other.
inline constexpr std::string_view kAgentMetric = "tag:agent";

// The value of that metric.
struct AgentValue {
  PeerMode mode = PeerMode::Active;  // of the sender
  bool decides = false;              // it gives pins of lost peers new places
  PeerOrders orders;                 // all that the sender knows
};
std::string encode_agent(const AgentValue& value);
// Unreadable parts are left out; at most kMaxOrders orders.
AgentValue decode_agent(std::string_view text);

// The orders that are in force. An order given at one peer spreads with the metric above, so that
// it holds wherever it was given and outlives the peer that it was given at.
// Thread-safety: all methods from any thread.
class PeerStates {
 public:
  static constexpr size_t kMaxOrders = 256;
  // "Active" is remembered for this long, until every peer has heard of it.
  static constexpr Duration kForget = std::chrono::hours(24 * 30);
  // A clock that is further ahead would make its order last for ever.
  static constexpr Duration kMaxAhead = std::chrono::minutes(5);

  PeerMode mode_of(const PeerId& peer) const;
  PeerOrders orders() const;
  // A new order, later than any before it. Errors: Busy (too many orders).
  Status set(const PeerId& peer, PeerMode mode, Time now);
  // Orders of another peer; true when one of them was news.
  bool adopt(const PeerOrders& orders, Time now);
  void forget_old(Time now);

  // For the store.
  std::string encode() const;
  void load(std::string_view text);

 private:
  mutable std::mutex mutex_;
  PeerOrders orders_;
};

}  // namespace ica::cluster
