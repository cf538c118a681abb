#include <doctest/doctest.h>
#include <sys/resource.h>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

constexpr const char* kGet = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

Task<void> ok(Request&, ResponseWriter& writer) {
  (void)co_await writer.send(200, {}, "ok");
}

struct Seen {
  std::atomic<int> started{0};
  std::atomic<int> stopped{0};
  std::atomic<int> ended{0};
  std::atomic<uint64_t> written{0};
  std::atomic<int> code{-1};
};

Task<void> wait_for_stop(std::shared_ptr<Seen> seen, Request& request, ResponseWriter& writer) {
  ++seen->started;
  const auto slept = co_await sleep_for(1h, request.stop);
  if (!slept) {
    ++seen->stopped;
  }
  (void)co_await writer.send(503, {}, "stopping");
  ++seen->ended;
}

Task<void> write_forever(std::shared_ptr<Seen> seen, Request&, ResponseWriter& writer) {
  (void)co_await writer.begin(200, {});
  const Bytes line(1000, 'x');
  while (true) {
    const auto written = co_await writer.write(line);
    if (!written) {
      seen->code = static_cast<int>(written.error().code());
      break;
    }
    seen->written += line.size();
  }
  ++seen->ended;
}

Task<void> read_body(std::shared_ptr<Seen> seen, Request& request, ResponseWriter& writer) {
  ++seen->started;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece) {
      seen->code = static_cast<int>(piece.error().code());
      (void)co_await writer.send(400, {}, piece.error().message());
      break;
    }
    if (!*piece) {
      (void)co_await writer.send(200, {}, "read");
      break;
    }
  }
  ++seen->ended;
}

Task<void> send_big(Request&, ResponseWriter& writer) {
  (void)co_await writer.send(200, {}, Bytes(8 << 20, 'b'));
}

template <typename Function>
Handler with(std::shared_ptr<Seen> seen, Function function) {
  return [seen, function](Request& request, ResponseWriter& writer) {
    return function(seen, request, writer);
  };
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("limits: headers that take too long close the connection without an answer") {
  TestServer server(ok, {.read_header_timeout = 200ms});
  const auto start = std::chrono::steady_clock::now();
  RawClient silent(server.port());
  RawClient slow(server.port());
  REQUIRE(slow.send("GET / HTTP/1.1\r\nHo"));
  CHECK(silent.closed());
  CHECK(slow.closed());
  CHECK(seconds_since(start) >= 0.19);

  RawClient second_request(server.port());
  REQUIRE(second_request.send(kGet));
  CHECK(read_answer(second_request).status() == 200);
  REQUIRE(second_request.send("G"));
  CHECK(second_request.all().empty());
}

TEST_CASE("limits: idle connections are closed, busy ones are not") {
  TestServer server(ok, {.read_header_timeout = 10s, .idle_timeout = 200ms});
  RawClient client(server.port());
  REQUIRE(client.send(kGet));
  CHECK(read_answer(client).status() == 200);
  CHECK(client.closed());
}

TEST_CASE("limits: the client's going away stops the request's token") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, wait_for_stop));
  {
    RawClient polite(server.port());
    RawClient rude(server.port());
    REQUIRE(polite.send(kGet));
    REQUIRE(rude.send(kGet));
    REQUIRE(eventually([&] { return seen->started == 2; }));
    CHECK(seen->stopped == 0);
    rude.reset();
  }
  CHECK(eventually([&] { return seen->stopped == 2; }));
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
}

TEST_CASE("limits: pipelined bytes survive the watch for the client's going away") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, wait_for_stop));
  RawClient client(server.port());
  REQUIRE(client.send(kGet));
  REQUIRE(eventually([&] { return seen->started == 1; }));
  REQUIRE(client.send(kGet));
  server.stop(10s);
  CHECK(read_answer(client).body == "stopping");
  CHECK(seen->started == 1);
}

TEST_CASE("limits: a reader that takes nothing is cut, and costs no memory before") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, write_forever), {.stalled_write_timeout = 300ms});
  RawClient client(server.port(), 4096);
  REQUIRE(client.send(kGet));
  CHECK(eventually([&] { return seen->ended == 1; }));
  CHECK(seen->written < (8u << 20));  // what the sockets' buffers hold
  CHECK(seen->code == static_cast<int>(Code::Closed));
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
}

TEST_CASE("limits: write_timeout ends an answer that is being read") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, write_forever), {.write_timeout = 200ms});
  RawClient client(server.port());
  REQUIRE(client.send(kGet));
  CHECK(client.closed());
  CHECK(eventually([&] { return seen->ended == 1; }));
}

TEST_CASE("limits: read_timeout ends a body that does not come") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, read_body), {.read_timeout = 200ms});
  RawClient client(server.port());
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
  const Answer answer = read_answer(client);
  CHECK(answer.status() == 400);
  CHECK(answer.body == "i/o timeout");
  CHECK(answer.has("Connection: close"));
  CHECK(seen->code == static_cast<int>(Code::Timeout));
}

TEST_CASE("limits: a client that leaves in the middle of its body") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, read_body));
  {
    RawClient polite(server.port());
    REQUIRE(polite.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    RawClient rude(server.port());
    REQUIRE(rude.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"));
    REQUIRE(eventually([&] { return seen->started == 2; }));
    rude.reset();
  }
  CHECK(eventually([&] { return seen->ended == 2; }));
  CHECK(seen->code == static_cast<int>(Code::Protocol));
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
}

TEST_CASE("limits: max_body_bytes") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, read_body), {.max_body_bytes = 5});
  RawClient fits(server.port());
  REQUIRE(fits.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde"));
  CHECK(read_answer(fits).body == "read");
  RawClient sized(server.port());
  REQUIRE(sized.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef"));
  CHECK(sized.all().find("http: request body too large") != std::string::npos);
  RawClient chunked(server.port());
  REQUIRE(
      chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"));
  CHECK(chunked.all().find("http: request body too large") != std::string::npos);
  CHECK(seen->code == static_cast<int>(Code::TooLarge));
}

TEST_CASE("limits: connections over the maximum are closed at once") {
  TestServer server(ok, {.max_connections = 3});
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().send(kGet));
    CHECK(read_answer(clients.back()).status() == 200);
  }
  RawClient over(server.port());
  CHECK(over.closed());
  CHECK(eventually([&] { return server.server().stats().refused == 1; }));
  clients.pop_back();
  REQUIRE(eventually([&] { return server.server().stats().open == 2; }));
  RawClient next(server.port());
  REQUIRE(next.send(kGet));
  CHECK(read_answer(next).status() == 200);
}

TEST_CASE("limits: 1,000 connections, idle in between") {
  TestServer server(ok);
  std::vector<RawClient> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().connected());
  }
  REQUIRE(eventually([&] { return server.server().stats().open == 1000; }));
  for (int round = 0; round < 2; ++round) {
    for (auto& client : clients) {
      REQUIRE(client.send(kGet));
    }
    for (auto& client : clients) {
      REQUIRE(read_answer(client).body == "ok");
    }
  }
  clients.clear();
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
}

TEST_CASE("limits: abrupt disconnects at every point leave nothing behind") {
  const auto seen = std::make_shared<Seen>();
  TestServer server(with(seen, read_body));
  const std::string request =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (size_t n = 0; n <= request.size(); ++n) {
    RawClient client(server.port());
    REQUIRE(client.send(request.substr(0, n)));
    if (n % 2 == 0) {
      client.reset();
    }
  }
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
  CHECK(seen->started == seen->ended);
}

TEST_CASE("limits: a large answer to a slow reader arrives whole") {
  TestServer server(send_big);
  RawClient client(server.port(), 4096);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.send(kGet));
    const Answer answer = read_answer(client);
    CHECK(answer.body == std::string(8 << 20, 'b'));
  }
}

TEST_CASE("limits: accept survives running out of descriptors") {
  TestServer server(ok);
  RawClient before(server.port());
  REQUIRE(before.send(kGet));
  REQUIRE(read_answer(before).status() == 200);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  // The client's own socket is made first; then there is no descriptor for the accepted one.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const rlimit none{static_cast<rlim_t>(fd) + 1, old.rlim_max};
  std::vector<int> holes;
  for (int hole = ::dup(fd); hole >= 0 && hole < fd; hole = ::dup(fd)) {
    holes.push_back(hole);
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(before.send(kGet));  // connections that are open go on
  CHECK(read_answer(before).status() == 200);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
  for (const int hole : holes) {
    ::close(hole);
  }
  CHECK(eventually([&] { return server.server().stats().accepted == 2; }));
  ::close(fd);
}

TEST_CASE("limits: shutdown lets answers end, closes the idle and cuts the rest") {
  const auto seen = std::make_shared<Seen>();
  auto server = std::make_unique<TestServer>(with(seen, wait_for_stop));
  RawClient idle(server->port());
  RawClient busy(server->port());
  REQUIRE(busy.send(kGet));
  REQUIRE(eventually([&] { return seen->started == 1; }));
  server->stop(10s);
  CHECK(idle.closed());
  const Answer answer = read_answer(busy);
  CHECK(answer.status() == 503);
  CHECK(answer.has("Connection: close"));
  RawClient late(server->port());
  CHECK_FALSE(late.connected());

  const auto stubborn = std::make_shared<Seen>();
  TestServer other(with(stubborn, write_forever));
  RawClient reader(other.port(), 4096);
  REQUIRE(reader.send(kGet));
  REQUIRE(eventually([&] { return stubborn->written > 0; }));
  const auto start = std::chrono::steady_clock::now();
  other.stop(100ms);
  CHECK(seconds_since(start) < 1.5);
  CHECK(stubborn->ended == 1);
}
