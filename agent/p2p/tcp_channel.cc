#include "agent/p2p/tcp_channel.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/write.hpp>

#include "agent/p2p/resolver.h"
#include "common/base/system_words.h"

namespace ica::p2p {

namespace {

Error closed(const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) {
    return Error(Code::Closed, "connection closed");
  }
  return Error(Code::Closed, ec.message());
}

// Closes the socket that is being connected when time is up or somebody gives up.
struct CloseSocket {
  std::shared_ptr<asio::ip::tcp::socket> socket;
  void operator()() const {
    asio::post(socket->get_executor(), [socket = socket] {
      boost::system::error_code ignored;
      socket->close(ignored);
    });
  }
};

struct CloseOnTimer {
  std::weak_ptr<asio::ip::tcp::socket> socket;
  std::shared_ptr<bool> fired;
  void operator()(const boost::system::error_code& ec) const {
    if (ec) {
      return;
    }
    *fired = true;
    if (auto s = socket.lock()) {
      boost::system::error_code ignored;
      s->close(ignored);
    }
  }
};

}  // namespace

Multiaddr to_multiaddr(const asio::ip::tcp::endpoint& endpoint) {
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  std::string host = address.to_string();
  if (const size_t zone = host.find('%'); zone != std::string::npos) {
    host.resize(zone);
  }
  auto parsed = Multiaddr::parse(
      fmt::format("/{}/{}/tcp/{}", address.is_v4() ? "ip4" : "ip6", host, endpoint.port()));
  return parsed ? *std::move(parsed) : Multiaddr();
}

TcpChannel::TcpChannel(asio::ip::tcp::socket socket, std::shared_ptr<ByteCounters> total)
    : socket_(std::move(socket)), total_(std::move(total)) {
  boost::system::error_code ec;
  socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  socket_.set_option(asio::socket_base::keep_alive(true), ec);
  socket_.non_blocking(true, ec);
  if (const auto end = socket_.local_endpoint(ec); !ec) {
    local_ = to_multiaddr(end);
  }
  if (const auto end = socket_.remote_endpoint(ec); !ec) {
    remote_ = to_multiaddr(end);
  }
}

Task<Result<Bytes>> TcpChannel::read_some(size_t limit) {
  const auto self = shared_from_this();
  boost::system::error_code ec;
  for (;;) {
    size_t ready = socket_.available(ec);
    if (ec) {
      co_return fail(closed(ec));
    }
    if (ready == 0) {
      co_await socket_.async_wait(asio::socket_base::wait_read,
                                  asio::redirect_error(asio::use_awaitable, ec));
      if (ec) {
        co_return fail(closed(ec));
      }
      ready = socket_.available(ec);
      if (ec) {
        co_return fail(closed(ec));
      }
    }
    // Readable with nothing there is the end of the stream: read one byte to learn it.
    Bytes data(std::min(limit, std::max<size_t>(ready, 1)), '\0');
    const size_t n = socket_.read_some(asio::buffer(data), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
      continue;
    }
    if (ec == asio::error::eof) {
      co_return Bytes();
    }
    if (ec) {
      co_return fail(closed(ec));
    }
    data.resize(n);
    total_->in.fetch_add(n, std::memory_order_relaxed);
    co_return data;
  }
}

Task<Status> TcpChannel::write(Bytes data) {
  const auto self = shared_from_this();
  boost::system::error_code ec;
  const size_t n = co_await asio::async_write(socket_, asio::buffer(data),
                                              asio::redirect_error(asio::use_awaitable, ec));
  total_->out.fetch_add(n, std::memory_order_relaxed);
  if (ec) {
    co_return fail(closed(ec));
  }
  co_return Status();
}

void TcpChannel::close() {
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

Task<Result<std::vector<asio::ip::tcp::endpoint>>> tcp_resolve(Multiaddr address, Duration timeout,
                                                               StopToken stop) {
  using asio::ip::tcp;
  auto where = dial_target(address);
  if (!where) {
    co_return fail(std::move(where).error());
  }
  std::vector<tcp::endpoint> out;
  AddressFamily family = AddressFamily::Any;
  switch (where->kind) {
    case DialTarget::Kind::Unix:
      co_return fail(Code::Unsupported, "cannot dial {}", address);
    case DialTarget::Kind::Ip4:
    case DialTarget::Kind::Ip6: {
      boost::system::error_code ec;
      const auto ip = asio::ip::make_address(where->host, ec);
      if (ec) {
        co_return fail(Code::InvalidArgument, "cannot dial {}: {}", address, ec.message());
      }
      out.emplace_back(ip, where->port);
      co_return out;
    }
    case DialTarget::Kind::Dns4:
      family = AddressFamily::V4;
      break;
    case DialTarget::Kind::Dns6:
      family = AddressFamily::V6;
      break;
    case DialTarget::Kind::Dns:
      break;
  }
  co_return co_await resolve_name(where->host, where->port, family, timeout, stop);
}

namespace {

// What Go's net package says of a dial.
std::string dial_text(const asio::ip::tcp::endpoint& to) {
  const std::string ip = to.address().to_string();
  return to.address().is_v4() ? fmt::format("dial tcp4 {}:{}", ip, to.port())
                              : fmt::format("dial tcp6 [{}]:{}", ip, to.port());
}

}  // namespace

Task<Result<std::shared_ptr<TcpChannel>>> tcp_connect(asio::ip::tcp::endpoint endpoint,
                                                      SteadyTime deadline,
                                                      std::shared_ptr<ByteCounters> total,
                                                      StopToken stop) {
  const auto executor = co_await asio::this_coro::executor;
  auto socket = std::make_shared<asio::ip::tcp::socket>(executor);
  auto fired = std::make_shared<bool>(false);
  asio::steady_timer timer(executor, deadline);
  timer.async_wait(CloseOnTimer{socket, fired});
  std::stop_callback on_stop(stop, CloseSocket{socket});
  boost::system::error_code ec;
  co_await socket->async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  timer.cancel();
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  if (*fired) {
    co_return fail(Code::Timeout, "{}: i/o timeout", dial_text(endpoint));
  }
  if (ec) {
    co_return fail(Code::Unavailable, "{}: connect: {}", dial_text(endpoint),
                   system_words(ec.message()));
  }
  co_return std::make_shared<TcpChannel>(std::move(*socket), std::move(total));
}

}  // namespace ica::p2p
