#pragma once

#include <condition_variable>
#include <httplib.h>
#include <map>
#include <mutex>
#include <thread>

#include "agent/ipfs/http_connector.h"
#include "common/base/async.h"

// A Kubo on a real socket, played by cpp-httplib, that can misbehave; and a bench that drives the
// connector against it.
namespace ica::ipfs::test {

inline const char* const kCidText = "QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr";
inline const char* const kOtherText = "QmYtUdtdPCjJTqN4c4DvBqyYHs36WuQYo68mm8VaeGzzp4";
inline Cid cid() {
  return *Cid::parse(kCidText);
}
inline Cid other() {
  return *Cid::parse(kOtherText);
}

class FakeKubo {
 public:
  using Handler = std::function<void(const httplib::Request&, httplib::Response&)>;

  FakeKubo() { listen(0); }
  ~FakeKubo() { down(); }

  // "pin/ls", ...; replaces what was there.
  void on(const std::string& path, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[path] = std::move(handler);
  }
  void answer(const std::string& path, std::string body, int status = 200) {
    on(path, [body = std::move(body), status](const httplib::Request&, httplib::Response& res) {
      res.status = status;
      res.set_content(body, "application/json");
    });
  }
  // Sends the pieces as chunks, then ends cleanly, or not at all: waits for the end of the test.
  void stream(const std::string& path, std::vector<std::string> pieces, bool then_hang = false) {
    on(path, [this, pieces = std::move(pieces), then_hang](const httplib::Request&,
                                                           httplib::Response& res) {
      auto next = std::make_shared<size_t>(0);
      res.set_chunked_content_provider(
          "application/json", [this, pieces, next, then_hang](size_t, httplib::DataSink& sink) {
            if (*next < pieces.size()) {
              const std::string& piece = pieces[(*next)++];
              return sink.write(piece.data(), piece.size());
            }
            if (then_hang) {
              hang();
              return false;
            }
            sink.done();
            return true;
          });
    });
  }
  // Until the fake goes down.
  void hang() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return down_; });
  }

  // Without the breaker's probes, which come whenever they like (count() has them).
  std::vector<std::string> targets() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out = targets_;
    std::erase(out, "/api/v0/version");
    return out;
  }
  size_t count(const std::string& path) {
    const std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const std::string& target : targets_) {
      n += target.starts_with("/api/v0/" + path) ? 1 : 0;
    }
    return n;
  }

  void down() {
    if (!server_) {
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      down_ = true;
    }
    released_.notify_all();
    server_->stop();
    thread_.join();
    server_.reset();
  }
  void up() { listen(port_); }

  Multiaddr address() const {
    return *Multiaddr::parse(fmt::format("/ip4/127.0.0.1/tcp/{}", port_));
  }
  std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}/api/v0/{}", port_, path);
  }

 private:
  void listen(int port) {
    server_ = std::make_unique<httplib::Server>();
    server_->set_keep_alive_timeout(1);
    server_->new_task_queue = [] { return new httplib::ThreadPool(24); };
    server_->set_socket_options([](auto socket) {
      const int yes = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server_->Post(R"(/api/v0/(.*))", [this](const httplib::Request& req, httplib::Response& res) {
      Handler handler;
      {
        const std::lock_guard lock(mutex_);
        targets_.push_back(req.target);
        const auto it = handlers_.find(req.matches[1].str());
        if (it != handlers_.end()) {
          handler = it->second;
        }
      }
      if (handler) {
        handler(req, res);
      } else if (req.matches[1].str() == "version") {
        res.set_content("{\"Version\":\"0.40.0\"}\n", "application/json");
      } else {
        res.status = 404;
        res.set_content("404 page not found\n", "text/plain");
      }
    });
    down_ = false;
    if (port == 0) {
      port_ = server_->bind_to_any_port("127.0.0.1");
    } else {
      // The port may still be held by a connection that ends.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      while (!server_->bind_to_port("127.0.0.1", port)) {
        if (std::chrono::steady_clock::now() > deadline) {
          std::abort();
        }
        std::this_thread::yield();
      }
    }
    thread_ = std::thread([server = server_.get()] { server->listen_after_bind(); });
    while (!server_->is_running()) {
      std::this_thread::yield();
    }
  }

  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, Handler> handlers_;
  std::vector<std::string> targets_;
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
  bool down_ = false;
  int port_ = 0;
};

template <typename T>
Task<void> keep(Task<T> task, std::optional<T>* result) {
  *result = co_await std::move(task);
}

class Bench {
 public:
  explicit Bench(HttpConnectorOptions options = {}, std::optional<Multiaddr> node = std::nullopt) {
    options.node = node ? *node : kubo.address();
    options.seed = 7;
    options.probe_first_delay = std::chrono::milliseconds(5);
    options.probe_max_delay = std::chrono::milliseconds(40);
    options.probe_timeout = std::chrono::milliseconds(500);
    auto made = HttpConnector::create(std::move(options), ctx.get_executor());
    REQUIRE(made.has_value());
    connector = *std::move(made);
  }
  ~Bench() {
    connector.reset();
    ctx.restart();
    ctx.run_for(std::chrono::milliseconds(20));
    kubo.down();
    ctx.restart();
    ctx.run_for(std::chrono::milliseconds(20));
  }

  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      ctx.restart();
      ctx.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  template <typename T>
  T await(Task<T> task) {
    std::optional<T> result;
    spawn(ctx.get_executor(), keep(std::move(task), &result), "a test's call");
    REQUIRE(until([&] { return result.has_value(); }));
    return *std::move(result);
  }
  uint64_t calls(std::string_view verb, std::string_view outcome) const {
    for (const CallStats& series : connector->call_stats()) {
      if (series.verb == verb && series.outcome == outcome) {
        return series.count;
      }
    }
    return 0;
  }

  FakeKubo kubo;
  asio::io_context ctx;
  std::shared_ptr<HttpConnector> connector;
};

inline api::Pin pin_of(const Cid& c, int max_depth = api::kMaxDepthRecursive) {
  api::Pin pin;
  pin.cid = c;
  pin.max_depth = max_depth;
  return pin;
}

inline constexpr const char* kNotPinned =
    R"({"Message":"path 'QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr' is not pinned","Code":0,"Type":"error"})";

}  // namespace ica::ipfs::test
