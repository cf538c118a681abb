#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "agent/p2p/tcp_channel.h"

namespace ica::p2p {

// Why a connection did not come about.
enum class ConnectFailure : size_t {
  WrongSecret,  // no common secret, or not a cluster peer
  WrongPeer,    // another identity than the address says
  Protocol,     // the other side speaks nonsense
  Unsupported,  // no common security protocol or muxer
  Timeout,      //
  Closed,       // hung up during the handshake
  Unreachable,  // no TCP connection
  Limit,        // one of our limits
};
inline constexpr size_t kConnectFailures = 8;
std::string_view to_string(ConnectFailure reason);

// Counters of a Host, since its start. Thread-safety: atomics; read from any thread.
struct HostStats {
  std::atomic<uint64_t> accepted{0};     // connections that were upgraded, inbound
  std::atomic<uint64_t> dialled{0};      // outbound
  std::atomic<uint64_t> connections{0};  // open now
  std::atomic<uint64_t> inbound_failures[kConnectFailures]{};
  std::atomic<uint64_t> outbound_failures[kConnectFailures]{};
  std::atomic<uint64_t> streams_in{0};
  std::atomic<uint64_t> streams_out{0};
  std::atomic<uint64_t> streams_refused{0};  // no handler, or over a limit
  std::atomic<uint64_t> identify_failures{0};
  std::atomic<uint64_t> violations{0};  // connections ended because the other side broke the rules
  std::atomic<int64_t> open_inbound_streams{0};
  std::atomic<int64_t> open_outbound_streams{0};

  void count(bool inbound, ConnectFailure reason) {
    auto& counter = inbound ? inbound_failures : outbound_failures;
    counter[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t failures(bool inbound, ConnectFailure reason) const {
    const auto& counter = inbound ? inbound_failures : outbound_failures;
    return counter[static_cast<size_t>(reason)].load(std::memory_order_relaxed);
  }
  uint64_t wrong_secret() const {
    return failures(true, ConnectFailure::WrongSecret) +
           failures(false, ConnectFailure::WrongSecret);
  }
};

// The reason that an error of upgrade() or tcp_connect() stands for.
ConnectFailure connect_failure(const Error& error);

}  // namespace ica::p2p
