#include "agent/telemetry/health_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace ica;
using namespace ica::telemetry;

namespace {

// One plain request; the whole answer. The server closes after it.
std::string get(uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
        answer.append(buffer, static_cast<size_t>(n));
      }
    }
  }
  close(fd);
  return answer;
}

int status_of(const std::string& answer) {
  return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}

std::string body_of(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

Multiaddr loopback(uint16_t port = 0) {
  return *Multiaddr::parse(fmt::format("/ip4/127.0.0.1/tcp/{}", port));
}

}  // namespace

TEST_CASE("health server: readiness says what is missing") {
  Health health;
  HealthServer server(health, false);
  const auto port = server.start(loopback());
  REQUIRE(port);
  CHECK(status_of(get(*port, "/healthz")) == 200);

  auto answer = get(*port, "/readyz");
  CHECK(status_of(answer) == 503);
  CHECK(body_of(answer) ==
        "{\"ready\":false,\"store\":false,\"kubo\":false,\"missing\":[\"the store is not open, or "
        "its disk refuses changes\","
        "\"the IPFS daemon does not answer\"]}\n");
  health.set_store_usable(true);
  bool kubo = false;
  health.set_kubo([&kubo] { return kubo; });
  CHECK(status_of(get(*port, "/readyz")) == 503);
  kubo = true;
  answer = get(*port, "/readyz");
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "{\"ready\":true,\"store\":true,\"kubo\":true,\"missing\":[]}\n");
  health.set_stopping();
  CHECK(status_of(get(*port, "/readyz")) == 503);
  CHECK(status_of(get(*port, "/healthz")) == 200);
}

TEST_CASE("health server: metrics are served when they are switched on, else they are not found") {
  Health health;
  HealthServer off(health, false);
  const auto off_port = off.start(loopback());
  REQUIRE(off_port);
  const auto answer = get(*off_port, "/metrics");
  CHECK(status_of(answer) == 404);
  CHECK(body_of(answer) == "404 page not found\n");

  HealthServer on(health, true);
  const auto on_port = on.start(loopback());
  REQUIRE(on_port);
  CHECK(body_of(get(*on_port, "/metrics")).find("\ncluster_peers_total 0\n") != std::string::npos);
  Sources sources;
  sources.peers = [] { return size_t{3}; };
  on.set_sources(sources);
  CHECK(body_of(get(*on_port, "/metrics")).find("\ncluster_peers_total 3\n") != std::string::npos);
  CHECK(get(*on_port, "/metrics").find("Content-Type: text/plain; version=0.0.4; charset=utf-8") !=
        std::string::npos);
}

TEST_CASE("health server: a port in use is an error, also for a second process of ours") {
  Health health;
  HealthServer first(health, false);
  const auto port = first.start(loopback());
  REQUIRE(port);
  HealthServer second(health, false);
  const auto taken = second.start(loopback(*port));
  REQUIRE(!taken);
  CHECK(taken.error().code() == Code::Unavailable);
  CHECK(!second.start(*Multiaddr::parse("/dns4/localhost/tcp/0")));
}

TEST_CASE("health server: an idle connection does not hold up the end") {
  Health health;
  auto server = std::make_unique<HealthServer>(health, false);
  const auto port = server->start(loopback());
  REQUIRE(port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(status_of(get(*port, "/healthz")) == 200);
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  close(fd);
}
