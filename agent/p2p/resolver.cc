#include "agent/p2p/resolver.h"

#include <atomic>
#include <mutex>
#include <netdb.h>
#include <system_error>
#include <thread>

#include "common/base/async.h"

namespace ica::p2p {

namespace {

using asio::ip::tcp;

constexpr int kMaxThreads = 16;
std::atomic<int> running{0};

// Shared by the thread and the coroutine; either may go first. The timer belongs to the coroutine's
// context, so the thread touches it only while the coroutine still waits.
struct Lookup {
  std::mutex mutex;
  std::shared_ptr<asio::steady_timer> timer;  // null: nobody waits any more
  bool done = false;
  int error = 0;
  std::vector<tcp::endpoint> found;
};

struct Leave {
  std::shared_ptr<Lookup> lookup;
  explicit Leave(std::shared_ptr<Lookup> l) : lookup(std::move(l)) {}
  Leave(const Leave&) = delete;
  Leave& operator=(const Leave&) = delete;
  ~Leave() {
    const std::lock_guard lock(lookup->mutex);
    lookup->timer = nullptr;
  }
};

struct WakeOnStop {
  std::shared_ptr<asio::steady_timer> timer;
  void operator()() const {
    asio::post(timer->get_executor(), [timer = timer] { timer->cancel(); });
  }
};

void look_up(const std::shared_ptr<Lookup>& lookup, const std::string& host, uint16_t port,
             AddressFamily family) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = family == AddressFamily::V4   ? AF_INET
                    : family == AddressFamily::V6 ? AF_INET6
                                                  : AF_UNSPEC;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  std::vector<tcp::endpoint> found;
  for (const addrinfo* i = list; i != nullptr; i = i->ai_next) {
    tcp::endpoint endpoint;
    if (i->ai_addrlen > endpoint.capacity()) {
      continue;
    }
    std::copy_n(reinterpret_cast<const char*>(i->ai_addr), i->ai_addrlen,
                reinterpret_cast<char*>(endpoint.data()));
    endpoint.resize(i->ai_addrlen);
    endpoint.port(port);
    found.push_back(endpoint);
  }
  if (list != nullptr) {
    ::freeaddrinfo(list);
  }
  const std::lock_guard lock(lookup->mutex);
  lookup->error = error;
  lookup->found = std::move(found);
  lookup->done = true;
  if (lookup->timer) {
    asio::post(lookup->timer->get_executor(), [timer = lookup->timer] { timer->cancel(); });
  }
}

}  // namespace

Task<Result<std::vector<tcp::endpoint>>> resolve_name(std::string host, uint16_t port,
                                                      AddressFamily family, Duration timeout,
                                                      StopToken stop) {
  if (running.fetch_add(1) >= kMaxThreads) {
    running.fetch_sub(1);
    co_return fail(Code::Busy, "looking up {}: too many lookups at once", host);
  }
  auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor);
  timer->expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(timeout));
  auto lookup = std::make_shared<Lookup>();
  lookup->timer = timer;
  const Leave leave(lookup);
  try {
    std::thread([lookup, host, port, family] {
      look_up(lookup, host, port, family);
      running.fetch_sub(1);
    }).detach();
  } catch (const std::system_error& e) {
    running.fetch_sub(1);
    co_return fail(Code::Busy, "looking up {}: {}", host, e.what());
  }
  std::stop_callback on_stop(stop, WakeOnStop{timer});
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  const std::lock_guard lock(lookup->mutex);
  if (stop.stop_requested()) {
    co_return fail(Code::Cancelled, "cancelled");
  }
  if (!lookup->done) {
    co_return fail(Code::Timeout, "looking up {}: no answer within {}", host,
                   format_duration(timeout));
  }
  if (lookup->error != 0) {
    co_return fail(Code::Unavailable, "looking up {}: {}", host, ::gai_strerror(lookup->error));
  }
  co_return std::move(lookup->found);
}

}  // namespace ica::p2p
