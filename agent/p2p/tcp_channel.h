#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>

#include "agent/p2p/channel.h"
#include "common/base/time.h"
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

// Connects to the TCP part of `address` (ip4, ip6, dns, dns4, dns6, dnsaddr without further
// resolution). Tries each resolved address in turn. Ends with Timeout or Cancelled in time.
Task<Result<std::shared_ptr<TcpChannel>>> tcp_connect(Multiaddr address, Duration timeout,
                                                      std::shared_ptr<ByteCounters> total,
                                                      StopToken stop);

}  // namespace ica::p2p
