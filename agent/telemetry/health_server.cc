#include "agent/telemetry/health_server.h"

#include <httplib.h>
#include <thread>

#include "agent/telemetry/metrics.h"
#include "common/base/json_writer.h"
#include "common/base/log.h"

namespace ica::telemetry {
namespace {

constexpr size_t kThreads = 2;
constexpr time_t kIdleSeconds = 1;
constexpr const char* kJson = "application/json";

std::string readiness_json(const Health::Readiness& readiness) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.key("ready").boolean(readiness.ready());
  json.key("store").boolean(readiness.store);
  json.key("kubo").boolean(readiness.kubo);
  json.key("missing").begin_array();
  if (readiness.stopping) {
    json.string("the peer is shutting down");
  }
  if (!readiness.store) {
    json.string("the store is not open, or its disk refuses changes");
  }
  if (!readiness.kubo) {
    json.string("the IPFS daemon does not answer");
  }
  json.end_array();
  json.end_object();
  text += '\n';
  return text;
}

}  // namespace

int64_t Health::now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
}

void Health::set_kubo(std::function<bool()> reachable) {
  const std::lock_guard lock(mutex_);
  kubo_ = std::move(reachable);
}

bool Health::alive() const {
  return now() - last_beat_.load(std::memory_order_relaxed) <
         std::chrono::milliseconds(kStuckAfter).count();
}

Health::Readiness Health::readiness() const {
  const std::lock_guard lock(mutex_);
  return {.store = store_usable_.load(std::memory_order_relaxed),
          .kubo = kubo_ && kubo_(),
          .stopping = stopping_.load(std::memory_order_relaxed)};
}

struct HealthServer::Impl {
  Impl(const Health& h, bool with_metrics) : health(h), metrics(with_metrics) {}

  std::string scrape() {
    const std::lock_guard lock(mutex);
    return metrics_text(sources);
  }

  const Health& health;
  const bool metrics;
  std::mutex mutex;
  Sources sources;
  httplib::Server server;
  std::thread listener;
};

HealthServer::HealthServer(const Health& health, bool metrics)
    : impl_(std::make_unique<Impl>(health, metrics)) {
  Impl& impl = *impl_;
  impl.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // One request a connection and short waits: a scrape comes seldom, and stop() waits for the
  // threads.
  impl.server.set_keep_alive_max_count(1);
  impl.server.set_keep_alive_timeout(kIdleSeconds);
  impl.server.set_read_timeout(kIdleSeconds);
  impl.server.set_write_timeout(kIdleSeconds);
  impl.server.set_payload_max_length(4096);
  // The library's own choice lets two processes share the port without an error.
  impl.server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  impl.server.Get("/healthz", [&impl](const httplib::Request&, httplib::Response& response) {
    const bool alive = impl.health.alive();
    response.status = alive ? 200 : 503;
    response.set_content(alive ? "{\"alive\":true}\n" : "{\"alive\":false}\n", kJson);
  });
  impl.server.Get("/readyz", [&impl](const httplib::Request&, httplib::Response& response) {
    const auto readiness = impl.health.readiness();
    response.status = readiness.ready() ? 200 : 503;
    response.set_content(readiness_json(readiness), kJson);
  });
  if (metrics) {
    impl.server.Get("/metrics", [&impl](const httplib::Request&, httplib::Response& response) {
      response.set_content(impl.scrape(), std::string(kMetricsContentType).c_str());
    });
  }
  impl.server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (response.status == 404) {
      response.set_content("404 page not found\n", "text/plain; charset=utf-8");
    }
  });
}

HealthServer::~HealthServer() {
  stop();
}

Result<uint16_t> HealthServer::start(const Multiaddr& address) {
  TRY(const DialTarget target, dial_target(address));
  if (target.kind != DialTarget::Kind::Ip4 && target.kind != DialTarget::Kind::Ip6) {
    return fail(Code::InvalidArgument, "{} is not an IP address with a TCP port", address.text());
  }
  int port = target.port;
  const bool bound = port == 0 ? (port = impl_->server.bind_to_any_port(target.host)) > 0
                               : impl_->server.bind_to_port(target.host, port);
  if (!bound) {
    return fail(Code::Unavailable, "cannot listen on {}: the port is in use, or not ours to use",
                address.text());
  }
  impl_->listener = std::thread([this] {
    pthread_setname_np(pthread_self(), "health");
    impl_->server.listen_after_bind();
  });
  return static_cast<uint16_t>(port);
}

void HealthServer::set_sources(Sources sources) {
  const std::lock_guard lock(impl_->mutex);
  impl_->sources = std::move(sources);
}

void HealthServer::stop() {
  if (!impl_->listener.joinable()) {
    return;
  }
  // Before its loop turns, the library does not hear stop().
  while (!impl_->server.is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  impl_->server.stop();
  impl_->listener.join();
}

}  // namespace ica::telemetry
