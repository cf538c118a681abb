#pragma once

#include <doctest/doctest.h>
#include <functional>
#include <future>
#include <thread>

#include "agent/p2p/host.h"
#include "common/base/async.h"

namespace ica::p2p {

// A context with two threads, as the daemon has, and hosts on it.
class HostWorld {
 public:
  HostWorld() : work_(asio::make_work_guard(context_)) {
    for (int i = 0; i < 2; ++i) {
      threads_.emplace_back([this] { context_.run(); });
    }
  }
  HostWorld(const HostWorld&) = delete;
  ~HostWorld() {
    for (auto& host : hosts_) {
      if (host) {
        sync(host->stop());
      }
    }
    work_.reset();
    context_.stop();
    for (auto& thread : threads_) {
      thread.join();
    }
  }

  Executor executor() { return context_.get_executor(); }

  static HostOptions options(int number) {
    HostOptions o(PrivateKey::from_seed(Bytes(32, static_cast<char>(number))));
    o.secrets.push_back(Bytes(32, 's'));
    o.listen.push_back(*Multiaddr::parse("/ip4/127.0.0.1/tcp/0"));
    o.reconnect = false;
    o.reconnect_min = std::chrono::milliseconds(20);
    o.reconnect_max = std::chrono::milliseconds(200);
    o.resolve_interval = std::chrono::milliseconds(200);
    return o;
  }

  Host& add(HostOptions o, bool start = true) {
    hosts_.push_back(std::make_unique<Host>(executor(), std::move(o)));
    if (start) {
      REQUIRE(hosts_.back()->start().has_value());
    }
    return *hosts_.back();
  }
  Host& add(int number) { return add(options(number)); }
  void remove(Host& host) {
    for (auto& h : hosts_) {
      if (h.get() == &host) {
        sync(h->stop());
        h.reset();
      }
    }
  }

  // Runs a coroutine and waits for it.
  template <typename T>
  T sync(Task<T> task) {
    std::promise<T> promise;
    auto future = promise.get_future();
    asio::co_spawn(asio::make_strand(context_), std::move(task),
                   [&promise](std::exception_ptr error, T value) {
                     if (error) {
                       promise.set_exception(error);
                     } else {
                       promise.set_value(std::move(value));
                     }
                   });
    return future.get();
  }
  void sync(Task<void> task) {
    std::promise<void> promise;
    auto future = promise.get_future();
    asio::co_spawn(asio::make_strand(context_), std::move(task),
                   [&promise](std::exception_ptr) { promise.set_value(); });
    future.get();
  }

  // Waits for a condition; fails the test after twenty seconds.
  static void until(const char* what, const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      INFO(what);
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  static Multiaddr address_of(const Host& host) { return host.own_addresses().front(); }
  void introduce(Host& to, const Host& of) { REQUIRE(to.add_address(address_of(of)).has_value()); }

 private:
  asio::io_context context_{2};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

inline Task<Result<Bytes>> read_to_end(StreamPtr stream) {
  Bytes all;
  for (;;) {
    auto piece = co_await stream->read_some(1 << 20);
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return all;
    }
    all += *piece;
  }
}

// Sends `data` on a fresh stream and reads the answer to the end.
inline Task<Result<Bytes>> ask(Host* host, PeerId peer, std::string protocol, Bytes data,
                               Duration timeout = std::chrono::seconds(10)) {
  std::vector<std::string> protocols;
  protocols.push_back(std::move(protocol));
  auto stream = co_await host->open_stream(std::move(peer), std::move(protocols), timeout, {});
  if (!stream) {
    co_return fail(std::move(stream).error());
  }
  (*stream)->set_deadline(std::chrono::steady_clock::now() + std::chrono::seconds(30));
  auto written = co_await (*stream)->write(std::move(data));
  if (!written) {
    co_return fail(std::move(written).error());
  }
  auto closed = co_await (*stream)->close_write();
  if (!closed) {
    co_return fail(std::move(closed).error());
  }
  auto answer = co_await read_to_end(*stream);
  co_return answer;
}

// Answers with what it was sent.
inline Task<void> echo(StreamPtr stream) {
  for (;;) {
    auto piece = co_await stream->read_some(64 * 1024);
    if (!piece || piece->empty()) {
      break;
    }
    auto written = co_await stream->write(*std::move(piece));
    if (!written) {
      co_return;
    }
  }
  auto closed = co_await stream->close_write();
  static_cast<void>(closed);
}

}  // namespace ica::p2p
