#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "agent/p2p/gossip_rpc.h"

namespace ica::p2p {

// What waits to be sent to one peer. Bounded: when it is full, other peers' messages go first, then
// our own older ones; the newest own message of each topic always stays. Thread-safety: none.
class GossipOutbox {
 public:
  struct Limits {
    size_t messages = 512;
    size_t bytes = 1 << 20;
    size_t control = 10'000;  // ids of IHAVE and IWANT
  };
  explicit GossipOutbox(Limits limits) : limits_(limits) {}

  // How many messages had to be dropped for it.
  size_t push(GossipRpc rpc, bool own);
  // A new stream to the peer: what was said on the old one may not have arrived. Control messages
  // are forgotten, and the newest own message of each topic goes out once more.
  void restart();
  // The next RPC, about `max_bytes` of messages at most.
  GossipRpc take(size_t max_bytes);

  bool empty() const { return messages_.empty() && control_.empty(); }
  size_t messages() const { return messages_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Item {
    GossipMessage message;
    bool own = false;
    size_t size = 0;
  };
  void put(GossipMessage message, bool own);
  size_t make_room();

  const Limits limits_;
  GossipRpc control_;  // everything but messages
  size_t control_ids_ = 0;
  std::deque<Item> messages_;
  size_t bytes_ = 0;
  std::map<std::string, GossipMessage> last_own_;
};

}  // namespace ica::p2p
