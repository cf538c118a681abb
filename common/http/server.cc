#include "common/http/server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/async.h"
#include "common/base/log.h"
#include "common/base/system_words.h"
#include "common/http/connection.h"
#include "common/http/exchange.h"

namespace ica::http {

namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptAtOnce = 64;
constexpr size_t kChecksAtOnce = 64;  // deadlines of connections
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

// Often enough that a timeout is late by a quarter second or an eighth of itself, seldom enough to
// cost nothing.
std::chrono::nanoseconds tick_interval(const ServerOptions& options) {
  std::chrono::nanoseconds shortest = std::chrono::seconds(2);
  for (const Duration d : {options.read_header_timeout, options.read_timeout, options.write_timeout,
                           options.idle_timeout, options.stalled_write_timeout}) {
    if (d.count() > 0) {
      shortest = std::min(shortest, d);
    }
  }
  return std::max<std::chrono::nanoseconds>(shortest / 8, std::chrono::milliseconds(10));
}

std::string endpoint_text(const sockaddr_storage& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    return fmt::format("{}:{}", host, ntohs(v4->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    return fmt::format("[{}]:{}", host, ntohs(v6->sin6_port));
  }
  return "@";
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// One listening socket. Thread-safety: start once; close from any thread.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<ServerState> server, int descriptor)
      : server_(std::move(server)),
        strand_(asio::make_strand(server_->context)),
        descriptor_(server_->context.get_executor(), descriptor),
        pause_(server_->context) {}

  void start() {
    asio::post(strand_, [self = shared_from_this()] { self->wait(); });
  }

  void close() {
    asio::dispatch(strand_, [self = shared_from_this()] {
      boost::system::error_code ec;
      self->descriptor_.close(ec);
      self->pause_.cancel();
    });
  }

 private:
  void wait() {
    if (!descriptor_.is_open()) {
      return;
    }
    descriptor_.async_wait(asio::posix::descriptor_base::wait_read,
                           asio::bind_executor(strand_, [self = shared_from_this()](
                                                            const boost::system::error_code& ec) {
                             if (!ec) {
                               self->accept_some();
                             }
                           }));
  }

  void accept_some() {
    for (int i = 0; i < kAcceptAtOnce && descriptor_.is_open(); ++i) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int fd = ::accept4(descriptor_.native_handle(), reinterpret_cast<sockaddr*>(&address),
                               &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) {
          continue;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
          pause(errno);
          return;
        }
        break;
      }
      accept_one(fd, address);
    }
    wait();
  }

  void accept_one(int fd, const sockaddr_storage& address) {
    ServerStats& stats = server_->stats;
    if (stats.open.load(std::memory_order_relaxed) >=
            static_cast<int64_t>(server_->options.max_connections) ||
        server_->stopping) {
      ::close(fd);
      stats.refused.fetch_add(1, std::memory_order_relaxed);
      if (server_->limiter.allow("full")) {
        log_warn(server_->options.name, "{} connections are open, further ones are refused",
                 server_->options.max_connections);
      }
      return;
    }
    if (address.ss_family != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    stats.accepted.fetch_add(1, std::memory_order_relaxed);
    std::make_shared<Connection>(server_, fd, endpoint_text(address))->start();
  }

  // Out of descriptors or memory: the connection stays in the backlog, so trying again at once
  // would be a busy loop.
  void pause(int error) {
    if (server_->limiter.allow("accept")) {
      log_error(server_->options.name, "accept: {}; retrying", system_words(error));
    }
    pause_.expires_after(kAcceptPause);
    pause_.async_wait(asio::bind_executor(
        strand_, [self = shared_from_this()](const boost::system::error_code&) { self->wait(); }));
  }

  std::shared_ptr<ServerState> server_;
  asio::strand<asio::io_context::executor_type> strand_;
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor_;
  asio::steady_timer pause_;
};

}  // namespace

ServerState::ServerState(asio::io_context& c, ServerOptions o, Handler h)
    : context(c),
      options(std::move(o)),
      handler(std::move(h)),
      tick_interval_(tick_interval(options)),
      strand_(asio::make_strand(c)),
      timer_(c) {}

void ServerState::add(Connection* connection) {
  const std::lock_guard lock(mutex_);
  connection->next_ = first_;
  if (first_ != nullptr) {
    first_->previous_ = connection;
  }
  first_ = connection;
  stats.open.fetch_add(1, std::memory_order_relaxed);
  if (!ticking_) {
    ticking_ = true;
    asio::post(strand_, [self = shared_from_this()] { self->arm_tick(); });
  }
}

void ServerState::remove(Connection* connection) {
  const std::lock_guard lock(mutex_);
  (connection->previous_ != nullptr ? connection->previous_->next_ : first_) = connection->next_;
  if (connection->next_ != nullptr) {
    connection->next_->previous_ = connection->previous_;
  }
  stats.open.fetch_sub(1, std::memory_order_relaxed);
}

std::vector<std::shared_ptr<Connection>> ServerState::snapshot() {
  std::vector<std::shared_ptr<Connection>> all;
  const std::lock_guard lock(mutex_);
  for (Connection* c = first_; c != nullptr; c = c->next_) {
    if (auto held = c->weak_from_this().lock()) {
      all.push_back(std::move(held));
    }
  }
  return all;
}

TlsContext ServerState::tls_context() {
  const std::lock_guard lock(mutex_);
  return tls_;
}

void ServerState::arm_tick() {
  timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(tick_interval_));
  timer_.async_wait(asio::bind_executor(
      strand_, [self = shared_from_this()](const boost::system::error_code& ec) {
        if (!ec) {
          self->tick();
        }
      }));
}

// The deadlines of all connections. No connection, no timer: an unused server does not wake up.
void ServerState::tick() {
  const int64_t now = now_ns();
  std::vector<std::shared_ptr<Connection>> due;
  {
    const std::lock_guard lock(mutex_);
    for (Connection* c = first_; c != nullptr; c = c->next_) {
      if (c->deadline_.load(std::memory_order_relaxed) <= now) {
        if (auto held = c->weak_from_this().lock()) {
          due.push_back(std::move(held));
        }
      }
    }
    ticking_ = first_ != nullptr;
    if (ticking_) {
      arm_tick();
    }
  }
  check_some(std::move(due), now);
}

// A crowd whose time is up at once must not stand before everybody else's requests: after some of
// it the others have their turn.
void ServerState::check_some(std::vector<std::shared_ptr<Connection>> due, int64_t now) {
  const size_t count = std::min(due.size(), kChecksAtOnce);
  for (size_t i = 0; i < count; ++i) {
    due.back()->check_deadline(now);
    due.pop_back();
  }
  if (!due.empty()) {
    asio::post(strand_, [self = shared_from_this(), due = std::move(due), now]() mutable {
      self->check_some(std::move(due), now);
    });
  }
}

class Server::Impl {
 public:
  Impl(asio::io_context& context, ServerOptions options, Handler handler)
      : state(std::make_shared<ServerState>(context, std::move(options), std::move(handler))) {}

  Status load_tls() {
    if (!state->options.tls) {
      return {};
    }
    TRY(auto context, make_tls_context(*state->options.tls));
    const std::lock_guard lock(state->mutex_);
    state->tls_ = std::move(context);
    return {};
  }

  Status add(Descriptor& fd, const std::string& what) {
    if (::listen(fd.get(), kBacklog) != 0) {
      return fail(Code::Unavailable, "{}: listen: {}", what, system_words(errno));
    }
    if (state->options.tls && !state->tls_context()) {
      TRY_VOID(load_tls());
    }
    auto listener = std::make_shared<Listener>(state, fd.release());
    listener->start();
    listeners.push_back(std::move(listener));
    return {};
  }

  void stop_accepting() {
    state->stopping = true;
    for (const auto& listener : listeners) {
      listener->close();
    }
    listeners.clear();
    for (const std::string& path : unix_paths) {
      ::unlink(path.c_str());
    }
    unix_paths.clear();
  }

  std::shared_ptr<ServerState> state;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<std::string> unix_paths;
};

Server::Server(asio::io_context& context, ServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(context, std::move(options), std::move(handler))) {}

Server::~Server() {
  impl_->stop_accepting();
  for (const auto& connection : impl_->state->snapshot()) {
    connection->cut();
  }
}

Result<uint16_t> Server::listen(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const std::string what = host.find(':') == std::string::npos
                               ? fmt::format("listen tcp {}:{}", host, port)
                               : fmt::format("listen tcp [{}]:{}", host, port);
  if (const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                      std::to_string(port).c_str(), &hints, &found);
      error != 0) {
    return fail(Code::InvalidArgument, "{}: lookup {}: {}", what, host, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard(found, &freeaddrinfo);
  Descriptor fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) {
    return fail(Code::Unavailable, "{}: socket: {}", what, system_words(errno));
  }
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (found->ai_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) {
    const int error = errno;
    return fail(Code::Unavailable, "{}: bind: {}", what, system_words(error));
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  TRY_VOID(impl_->add(fd, what));
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(bound).sin_port);
}

Status Server::listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string what = "listen unix " + path;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Code::InvalidArgument, "{}: bind: invalid argument", what);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) {
    return fail(Code::Unavailable, "{}: socket: {}", what, system_words(errno));
  }
  int bound = ::bind(fd.get(), where, sizeof address);
  if (bound != 0 && errno == EADDRINUSE) {
    // Left over by a process that was killed: nobody answers on it.
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), where, sizeof address) != 0 && errno == ECONNREFUSED) {
      ::unlink(path.c_str());
      bound = ::bind(fd.get(), where, sizeof address);
    } else {
      errno = EADDRINUSE;
    }
  }
  if (bound != 0) {
    const int error = errno;
    return fail(Code::Unavailable, "{}: bind: {}", what, system_words(error));
  }
  TRY_VOID(impl_->add(fd, what));
  impl_->unix_paths.push_back(path);
  return {};
}

Status Server::reload_tls() {
  return impl_->load_tls();
}

Task<void> Server::shutdown(Duration grace) {
  const auto state = impl_->state;
  impl_->stop_accepting();
  for (const auto& connection : state->snapshot()) {
    connection->begin_shutdown();
  }
  constexpr auto kStep = std::chrono::milliseconds(5);
  constexpr auto kAfterCut = std::chrono::seconds(1);
  const int64_t cut_at = now_ns() + grace.count();
  while (state->stats.open > 0 && now_ns() < cut_at) {
    (void)co_await sleep_for(kStep);
  }
  for (const auto& connection : state->snapshot()) {
    connection->cut();
  }
  // Cut connections fail their handlers' reads and writes; those that wait for something else have
  // their stop token. One that listens to neither must not hold the process.
  const int64_t give_up_at = now_ns() + std::chrono::nanoseconds(kAfterCut).count();
  while ((state->stats.open > 0 || state->busy > 0) && now_ns() < give_up_at) {
    (void)co_await sleep_for(kStep);
  }
  if (state->busy > 0) {
    log_warn(state->options.name, "{} requests did not end at shutdown", state->busy.load());
  }
}

const ServerStats& Server::stats() const {
  return impl_->state->stats;
}

}  // namespace ica::http
