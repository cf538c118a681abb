#pragma once

// Servers on loopback and blocking clients for the tests of common/http.
#include <arpa/inet.h>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "common/base/asio.h"
#include "common/base/async.h"
#include "common/http/client.h"
#include "common/http/server.h"

namespace ica::http::testing {

using namespace std::chrono_literals;

// Tests wait for a condition up to this long; only a failing one does.
inline constexpr auto kPatience = 20s;

template <typename Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

// An io_context on two threads, as the agent has it.
class Loop {
 public:
  Loop() : work_(asio::make_work_guard(context_)) {
    for (int i = 0; i < 2; ++i) {
      threads_.emplace_back([this] { context_.run(); });
    }
  }
  ~Loop() {
    work_.reset();
    for (auto& thread : threads_) {
      thread.join();
    }
  }
  asio::io_context& context() { return context_; }

  // Runs a coroutine to its end and returns what it returned.
  template <typename T>
  T run(Task<T> task) {
    auto result = asio::co_spawn(asio::make_strand(context_), std::move(task), asio::use_future);
    return result.get();
  }

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
};

class TestServer {
 public:
  explicit TestServer(Handler handler, ServerOptions options = {})
      : server_(std::make_unique<Server>(loop_.context(), std::move(options), std::move(handler))),
        port_(server_->listen("127.0.0.1", 0).value()) {}
  ~TestServer() {
    if (server_) {
      stop(0s);
    }
  }
  void stop(Duration grace) {
    loop_.run(server_->shutdown(grace));
    server_.reset();
  }
  Loop& loop() { return loop_; }
  Server& server() { return *server_; }
  uint16_t port() const { return port_; }
  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }

 private:
  Loop loop_;
  std::unique_ptr<Server> server_;
  uint16_t port_;
};

// A plain blocking socket.
class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        rest_(std::move(other.rest_)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) {
        return false;
      }
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Once more bytes; false at the end, on a reset or when nothing came in time.
  bool receive() {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) != 1) {
      timed_out_ = true;
      return false;
    }
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) {
      return false;
    }
    rest_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  // Up to and with `end`, or all there is.
  std::string until(std::string_view end) {
    size_t at = 0;
    while ((at = rest_.find(end)) == std::string::npos) {
      if (!receive()) {
        return std::exchange(rest_, {});
      }
    }
    const std::string text = rest_.substr(0, at + end.size());
    rest_.erase(0, at + end.size());
    return text;
  }
  std::string exactly(size_t n) {
    while (rest_.size() < n && receive()) {
    }
    const std::string text = rest_.substr(0, n);
    rest_.erase(0, std::min(n, rest_.size()));
    return text;
  }
  // Everything up to the server's close.
  std::string all() {
    while (receive()) {
    }
    return std::exchange(rest_, {});
  }
  // True when the server has closed (and has not merely said nothing).
  bool closed() {
    while (receive()) {
    }
    return !timed_out_;
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) {
      ::close(std::exchange(fd_, -1));
    }
  }

 private:
  int fd_;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string rest_;
};

// An answer with a Content-Length from a kept-alive connection.
struct Answer {
  std::string head, body;
  int status() const { return head.size() > 12 ? std::stoi(head.substr(9, 3)) : 0; }
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};
inline Answer read_answer(RawClient& client) {
  Answer answer;
  answer.head = client.until("\r\n\r\n");
  const size_t at = answer.head.find("Content-Length: ");
  if (at != std::string::npos) {
    answer.body = client.exactly(std::stoul(answer.head.substr(at + 16)));
  }
  return answer;
}

// Resident bytes of this process.
inline size_t resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long size = 0, pages = 0;
  const int fields = std::fscanf(file, "%lu %lu", &size, &pages);
  std::fclose(file);
  return fields == 2 ? pages * 4096 : 0;
}

}  // namespace ica::http::testing
