#include <doctest/doctest.h>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

Task<void> show(Request& request, ResponseWriter& writer) {
  Bytes body = request.method + " " + request.target + "\n";
  for (const auto& [name, value] : request.headers) {
    body += name + ": " + value + "\n";
  }
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece || !*piece) {
      break;
    }
    body += **piece;
  }
  Headers headers{{"X-A", "1"}, {"X-A", "2"}};
  (void)co_await writer.send(201, std::move(headers), std::move(body));
}

Task<void> with_trailers(Request&, ResponseWriter& writer) {
  Headers headers{{"Trailer", "X-Stream-Error"}};
  (void)co_await writer.begin(200, std::move(headers));
  (void)co_await writer.write("body");
  Headers trailers{{"X-Stream-Error", "it broke"}};
  (void)co_await writer.end(std::move(trailers));
}

Task<void> never(Request& request, ResponseWriter&) {
  (void)co_await sleep_for(1h, request.stop);
}

Task<void> big(Request&, ResponseWriter& writer) {
  (void)co_await writer.send(200, {}, Bytes(100000, 'x'));
}

Task<void> stalls(Request& request, ResponseWriter& writer) {
  (void)co_await writer.begin(200, {});
  (void)co_await writer.write("first");
  (void)co_await sleep_for(1h, request.stop);
}

Task<void> cut_short(Request&, ResponseWriter& writer) {
  (void)co_await writer.begin(200, {});
  (void)co_await writer.write("half");
}

Task<void> hang_up(Request&, ResponseWriter&) {
  co_return;
}

ClientRequest get(std::string url) {
  ClientRequest request;
  request.url = std::move(url);
  return request;
}

Task<Result<Bytes>> read_all(Client& client, ClientRequest request, StopToken stop = {}) {
  CO_TRY(auto stream, co_await client.open(std::move(request), stop));
  CO_TRY(const int status, co_await stream->status());
  Bytes all = std::to_string(status) + ":";
  while (true) {
    CO_TRY(auto piece, co_await stream->read());
    if (!piece) {
      break;
    }
    all += *piece;
  }
  for (const auto& [name, value] : stream->trailers()) {
    all += "|" + name + "=" + value;
  }
  co_return all;
}

uint16_t unused_port() {
  Loop loop;
  Server server(loop.context(), {}, show);
  return server.listen("127.0.0.1", 0).value();
}

}  // namespace

TEST_CASE("client: method, target, headers and body arrive") {
  TestServer server(show);
  Client client({.user_agent = "ica/1"});
  ClientRequest request = get(server.url("/api/v0/id?arg=a%20b&x"));
  request.method = "POST";
  request.body = "the body";
  request.headers = {{"X-One", "1"}, {"X-Empty", ""}, {"Content-Type", "text/plain"}};
  request.basic_user = "user";
  request.basic_password = "pass:word";
  const auto answer = server.loop().run(client.fetch(request));
  REQUIRE(answer);
  CHECK(answer->status == 201);
  CHECK(answer->headers.size() >= 3);
  CHECK(find_header(answer->headers, "x-a") == "1");
  const std::string& body = answer->body;
  CHECK(body.starts_with("POST /api/v0/id?arg=a%20b&x\n"));
  CHECK(body.find("X-One: 1\n") != std::string::npos);
  CHECK(body.find("X-Empty: \n") != std::string::npos);
  CHECK(body.find("Content-Type: text/plain\n") != std::string::npos);
  CHECK(body.find("Content-Length: 8\n") != std::string::npos);
  CHECK(body.find("User-Agent: ica/1\n") != std::string::npos);
  CHECK(body.find("Authorization: Basic dXNlcjpwYXNzOndvcmQ=\n") != std::string::npos);
  CHECK(body.find("Expect") == std::string::npos);
  CHECK(body.find("Accept") == std::string::npos);
  CHECK(body.ends_with("the body"));
}

TEST_CASE("client: methods without a body, and an empty POST") {
  TestServer server(show);
  Client client({});
  for (const char* method : {"GET", "DELETE", "POST", "PUT", "OPTIONS", "PATCH"}) {
    ClientRequest request = get(server.url("/m"));
    request.method = method;
    const auto answer = server.loop().run(client.fetch(request));
    REQUIRE(answer);
    CHECK(answer->body.starts_with(std::string(method) + " /m\n"));
    CHECK(answer->body.find("Content-Type") == std::string::npos);
  }
  ClientRequest head = get(server.url("/m"));
  head.method = "HEAD";
  const auto answer = server.loop().run(client.fetch(head));
  REQUIRE(answer);
  CHECK(answer->status == 201);
  CHECK(answer->body.empty());
  CHECK(server.server().stats().accepted == 1);  // kept alive throughout
}

TEST_CASE("client: trailers") {
  TestServer server(with_trailers);
  Client client({});
  const auto answer = server.loop().run(client.fetch(get(server.url("/"))));
  REQUIRE(answer);
  CHECK(answer->body == "body");
  REQUIRE(answer->trailers.size() == 1);
  CHECK(find_header(answer->trailers, "X-Stream-Error") == "it broke");
  CHECK(find_header(answer->headers, "X-Stream-Error").empty());
  const auto streamed = server.loop().run(read_all(client, get(server.url("/"))));
  REQUIRE(streamed);
  CHECK(*streamed == "200:body|X-Stream-Error=it broke");
}

TEST_CASE("client: a refused connection has Go's words") {
  Loop loop;
  const uint16_t port = unused_port();
  Client client({});
  const std::string expected =
      fmt::format("dial tcp 127.0.0.1:{}: connect: connection refused", port);
  const auto answer = loop.run(client.fetch(get(fmt::format("http://127.0.0.1:{}/", port))));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Unavailable);
  CHECK(answer.error().message() == expected);
  const auto streamed = loop.run(read_all(client, get(fmt::format("http://127.0.0.1:{}/", port))));
  REQUIRE_FALSE(streamed);
  CHECK(streamed.error().message() == expected);

  Client over_unix({.unix_socket = "/tmp/ica_no_such_socket"});
  const auto missing = loop.run(over_unix.fetch(get("http://localhost/")));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message() ==
        "dial unix /tmp/ica_no_such_socket: connect: no such file or directory");
}

TEST_CASE("client: unknown host") {
  Loop loop;
  Client client({});
  const auto answer = loop.run(client.fetch(get("http://no-such-host.invalid:5001/x")));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Unavailable);
  CHECK(answer.error().message() == "dial tcp: lookup no-such-host.invalid: no such host");
}

TEST_CASE("client: a name is looked up") {
  TestServer server(show);
  Client client({});
  const auto answer =
      server.loop().run(client.fetch(get(fmt::format("http://localhost:{}/named", server.port()))));
  REQUIRE(answer);
  CHECK(answer->body.starts_with("GET /named\n"));
}

TEST_CASE("client: bad requests are refused here") {
  Loop loop;
  Client client({});
  for (const char* url :
       {"", "http://", "ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense://x"}) {
    CAPTURE(url);
    const auto answer = loop.run(client.fetch(get(url)));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code() == Code::InvalidArgument);
  }
  ClientRequest request = get("http://127.0.0.1:1/");
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK(loop.run(client.fetch(request)).error().code() == Code::InvalidArgument);
  request.headers = {{"X Y", "a"}};
  CHECK(loop.run(client.fetch(request)).error().code() == Code::InvalidArgument);
  request.headers = {};
  request.method = "GE T";
  CHECK(loop.run(client.fetch(request)).error().code() == Code::InvalidArgument);
}

TEST_CASE("client: deadlines") {
  TestServer silent(never);
  Client client({});
  ClientRequest request = get(silent.url("/"));
  request.timeout = 100ms;
  const auto total = silent.loop().run(client.fetch(request));
  REQUIRE_FALSE(total);
  CHECK(total.error().code() == Code::Timeout);
  CHECK(total.error().message() == "context deadline exceeded");

  request.timeout = {};
  request.idle_timeout = 100ms;
  const auto idle = silent.loop().run(client.fetch(request));
  REQUIRE_FALSE(idle);
  CHECK(idle.error().code() == Code::Timeout);

  TestServer stalling(stalls);
  request.url = stalling.url("/");
  const auto stalled = stalling.loop().run(read_all(client, request));
  REQUIRE_FALSE(stalled);
  CHECK(stalled.error().code() == Code::Timeout);
}

namespace {

Task<Status> cancel_after_first(Client& client, ClientRequest request) {
  StopSource stop;
  CO_TRY(auto stream, co_await client.open(std::move(request), stop.get_token()));
  CO_TRY(auto first, co_await stream->read());
  if (!first || *first != "first") {
    co_return fail(Code::Internal, "no first piece");
  }
  stop.request_stop();
  CO_TRY(auto second, co_await stream->read());
  (void)second;
  co_return Status();
}

}  // namespace

TEST_CASE("client: cancellation frees the connection") {
  TestServer server(never);
  Client client({});
  StopSource stop;
  auto pending =
      asio::co_spawn(server.loop().context(), client.fetch(get(server.url("/")), stop.get_token()),
                     asio::use_future);
  REQUIRE(eventually([&] { return server.server().stats().requests == 1; }));
  stop.request_stop();
  const auto answer = pending.get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Cancelled);
  CHECK(eventually([&] { return server.server().stats().open == 0; }));
  CHECK(server.loop().run(client.fetch(get(server.url("/")), stop.get_token())).error().code() ==
        Code::Cancelled);

  TestServer stalling(stalls);
  const auto status = stalling.loop().run(cancel_after_first(client, get(stalling.url("/"))));
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == Code::Cancelled);
  CHECK(eventually([&] { return stalling.server().stats().open == 0; }));
}

TEST_CASE("client: destruction ends what is running") {
  TestServer server(never);
  auto client = std::make_unique<Client>(ClientOptions{});
  auto pending = asio::co_spawn(server.loop().context(), client->fetch(get(server.url("/"))),
                                asio::use_future);
  REQUIRE(eventually([&] { return server.server().stats().requests == 1; }));
  client.reset();
  const auto answer = pending.get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Cancelled);
}

TEST_CASE("client: bounded bodies") {
  TestServer server(big);
  Client client({});
  ClientRequest request = get(server.url("/"));
  request.max_body = 99999;
  const auto refused = server.loop().run(client.fetch(request));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Code::TooLarge);
  request.max_body = 100000;
  const auto taken = server.loop().run(client.fetch(request));
  REQUIRE(taken);
  CHECK(taken->body.size() == 100000);
}

TEST_CASE("client: an answer cut short is an error, never a short success") {
  TestServer server(cut_short);
  Client client({});
  const auto whole = server.loop().run(client.fetch(get(server.url("/"))));
  REQUIRE_FALSE(whole);
  CHECK(whole.error().message() == "unexpected EOF");
  const auto streamed = server.loop().run(read_all(client, get(server.url("/"))));
  REQUIRE_FALSE(streamed);
  CHECK(streamed.error().message() == "unexpected EOF");
}

TEST_CASE("client: a server that hangs up") {
  TestServer server(hang_up);
  Client client({});
  const auto answer = server.loop().run(client.fetch(get(server.url("/"))));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Unavailable);
  CHECK(answer.error().message() == "EOF");
}

namespace {

Task<void> many(Client& client, std::string url, int n, std::atomic<int>& ok) {
  for (int i = 0; i < n; ++i) {
    ClientRequest request;
    request.url = url;
    const auto answer = co_await client.fetch(std::move(request));
    if (answer && answer->status == 201) {
      ++ok;
    }
  }
}

}  // namespace

TEST_CASE("client: the pool bounds connections and reuses them") {
  TestServer server(show);
  Client client({.max_connections = 8, .max_connections_per_host = 4});
  std::atomic<int> ok{0};
  std::vector<std::future<void>> running;
  for (int i = 0; i < 40; ++i) {
    running.push_back(asio::co_spawn(asio::make_strand(server.loop().context()),
                                     many(client, server.url("/p"), 10, ok), asio::use_future));
  }
  for (auto& task : running) {
    task.get();
  }
  CHECK(ok == 400);
  CHECK(server.server().stats().accepted <= 4);
}

TEST_CASE("client: a deadline also holds while waiting for a connection") {
  TestServer server(never);
  Client client({.max_connections = 1});
  StopSource stop;
  auto first =
      asio::co_spawn(server.loop().context(), client.fetch(get(server.url("/")), stop.get_token()),
                     asio::use_future);
  REQUIRE(eventually([&] { return server.server().stats().requests == 1; }));
  ClientRequest request = get(server.url("/"));
  request.timeout = 100ms;
  const auto waited = server.loop().run(client.fetch(request));
  REQUIRE_FALSE(waited);
  CHECK(waited.error().code() == Code::Timeout);
  StopSource other;
  auto queued =
      asio::co_spawn(server.loop().context(), client.fetch(get(server.url("/")), other.get_token()),
                     asio::use_future);
  other.request_stop();
  CHECK(queued.get().error().code() == Code::Cancelled);
  CHECK(server.server().stats().requests == 1);
  stop.request_stop();
  CHECK(first.get().error().code() == Code::Cancelled);
}

TEST_CASE("client: a kept connection that the server closed is replaced") {
  auto server = std::make_unique<TestServer>(show);
  const uint16_t port = server->port();
  Client client({});
  Loop loop;
  const std::string url = server->url("/");
  REQUIRE(loop.run(client.fetch(get(url))));
  server.reset();
  Server again(loop.context(), {}, show);
  REQUIRE(again.listen("127.0.0.1", port));
  ClientRequest request = get(url);
  request.method = "POST";
  request.body = "x";
  CHECK(loop.run(client.fetch(request)).has_value());
  loop.run(again.shutdown(0s));
}
