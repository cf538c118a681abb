#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>

#include "agent/p2p/channel.h"
#include "common/base/clock.h"
#include "common/codec/multiaddr.h"

namespace ica::p2p {

// Bytes that went over one or all connections. Thread-safety: atomics.
struct ByteCounters {
  std::atomic<uint64_t> in{0};
  std::atomic<uint64_t> out{0};
};

// A TCP connection. While it is idle it holds no buffer: it waits until the socket is readable and
// only then allocates what is there.
class TcpChannel final : public Channel, public std::enable_shared_from_this<TcpChannel> {
 public:
  TcpChannel(asio::ip::tcp::socket socket, std::shared_ptr<ByteCounters> total);

  Task<Result<Bytes>> read_some(size_t limit) override;
  Task<Status> write(Bytes data) override;
  void close() override;

  // /ip4/.../tcp/... of both ends.
  const Multiaddr& local() const { return local_; }
  const Multiaddr& remote() const { return remote_; }

 private:
  asio::ip::tcp::socket socket_;
  std::shared_ptr<ByteCounters> total_;
  Multiaddr local_;
  Multiaddr remote_;
};

// /ip4/A/tcp/P or /ip6/A/tcp/P.
Multiaddr to_multiaddr(const asio::ip::tcp::endpoint& endpoint);

// The TCP endpoints of `address` (ip4, ip6, dns, dns4, dns6; names are looked up anew each time).
// Call it from a coroutine on a strand. Errors: as resolve_name; Unsupported for other addresses.
Task<Result<std::vector<asio::ip::tcp::endpoint>>> tcp_resolve(Multiaddr address, Duration timeout,
                                                               StopToken stop);

// Connects; the channel lives on the calling coroutine's executor, which must be a strand. Errors:
// Timeout, Cancelled, Unavailable.
Task<Result<std::shared_ptr<TcpChannel>>> tcp_connect(asio::ip::tcp::endpoint endpoint,
                                                      SteadyTime deadline,
                                                      std::shared_ptr<ByteCounters> total,
                                                      StopToken stop);

}  // namespace ica::p2p
