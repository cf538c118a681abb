#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <future>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "agent/rest/rest.h"
#include "tests/unit/cluster/fakes.h"

// A peer on fakes with its REST API, and a client that hides nothing.
namespace ica::test {

struct Answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;

  std::string header(const std::string& name) const {
    std::string all;
    for (const auto& [key, value] : headers) {
      if (key == name) {
        all += (all.empty() ? "" : " | ") + value;
      }
    }
    return all;
  }
};

// A blocking client that shows everything as it came.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Client() { ::close(fd_); }

  void send(const std::string& data) {
    REQUIRE(::send(fd_, data.data(), data.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(data.size()));
  }

  Answer receive(bool head = false) {
    Answer out;
    const std::string first = line();
    if (first.empty()) {
      return out;  // closed
    }
    out.status = std::stoi(first.substr(9, 3));
    out.headers = fields();
    if (head || out.status == 204) {
      return out;
    }
    if (out.header("Transfer-Encoding") == "chunked") {
      while (const size_t size = std::stoul(line(), nullptr, 16)) {
        out.body += take(size);
        take(2);
      }
      out.trailers = fields();
    } else if (const std::string length = out.header("Content-Length"); !length.empty()) {
      out.body = take(std::stoul(length));
    }
    return out;
  }

 private:
  bool fill() {
    char data[4096];
    const ssize_t n = ::recv(fd_, data, sizeof data, 0);
    if (n <= 0) {
      return false;
    }
    buffer_.append(data, static_cast<size_t>(n));
    return true;
  }
  std::string take(size_t n) {
    while (buffer_.size() < n && fill()) {
    }
    std::string out = buffer_.substr(0, n);
    buffer_.erase(0, n);
    return out;
  }
  std::string line() {
    size_t at = 0;
    while ((at = buffer_.find("\r\n")) == std::string::npos) {
      if (!fill()) {
        return {};
      }
    }
    std::string out = buffer_.substr(0, at);
    buffer_.erase(0, at + 2);
    return out;
  }
  std::vector<std::pair<std::string, std::string>> fields() {
    std::vector<std::pair<std::string, std::string>> out;
    for (std::string l = line(); !l.empty(); l = line()) {
      const size_t colon = l.find(':');
      std::string value = l.substr(colon + 1);
      if (!value.empty() && value.front() == ' ') {
        value.erase(0, 1);
      }
      out.emplace_back(l.substr(0, colon), value);
    }
    return out;
  }

  int fd_;
  std::string buffer_;
};

// A peer on fakes behind a real port. The server runs on its own thread.
struct Served {
  explicit Served(std::function<void(FakePeer&)> prepare = {}) {
    peer.config.rest_api.http_listen_multiaddress = {
        Multiaddr::parse("/ip4/127.0.0.1/tcp/0").value()};
    if (prepare) {
      prepare(peer);
    }
    api = std::make_unique<rest::RestApi>(peer.context, peer.config, peer.use_cases());
    const Status started = api->start();
    REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message()));
    work.emplace(asio::make_work_guard(peer.context));
    thread = std::thread([this] { peer.context.run(); });
  }
  ~Served() {
    std::promise<void> done;
    asio::co_spawn(peer.context, api->stop(std::chrono::seconds(1)),
                   [&done](std::exception_ptr) { done.set_value(); });
    done.get_future().wait();
    work.reset();
    thread.join();
  }

  Answer ask(const std::string& method, const std::string& target, const std::string& headers = {},
             const std::string& body = {}) {
    Client client(api->ports().at(0));
    std::string request = method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + headers;
    if (!body.empty() || method == "POST") {
      request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    client.send(request + "\r\n" + body);
    return client.receive(method == "HEAD");
  }

  FakePeer peer;
  std::unique_ptr<rest::RestApi> api;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::thread thread;
};

}  // namespace ica::test
