#include <doctest/doctest.h>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

Task<void> echo(Request& request, ResponseWriter& writer) {
  Bytes body;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece) {
      (void)co_await writer.send(http_status(piece.error().code()), {}, piece.error().message());
      co_return;
    }
    if (!*piece) {
      break;
    }
    body += **piece;
  }
  Headers headers{{"X-Method", request.method}, {"X-Path", request.path}};
  (void)co_await writer.send(200, std::move(headers), std::move(body));
}

Task<void> stream_three(Request&, ResponseWriter& writer) {
  Headers headers{{"Trailer", "X-Stream-Error"}};
  (void)co_await writer.begin(200, std::move(headers));
  (void)co_await writer.write("one\n");
  (void)co_await writer.write("two\n");
  (void)co_await writer.write("");
  (void)co_await writer.write("three\n");
  Headers trailers{{"X-Stream-Error", "broke\r\nX-Evil: 1"}};
  (void)co_await writer.end(std::move(trailers));
}

Task<void> no_answer(Request&, ResponseWriter&) {
  co_return;
}

Task<void> throws(Request&, ResponseWriter&) {
  throw std::runtime_error("on purpose");
  co_return;
}

Task<void> half_answer(Request&, ResponseWriter& writer) {
  (void)co_await writer.begin(200, {});
  (void)co_await writer.write("half");
}

Task<void> no_content(Request&, ResponseWriter& writer) {
  Headers headers{{"Content-Type", "application/json"}};
  (void)co_await writer.send(204, std::move(headers), "never sent");
}

Task<void> close_asked(Request&, ResponseWriter& writer) {
  writer.close_after();
  (void)co_await writer.send(200, {}, "bye");
}

Task<void> ignore_body(Request&, ResponseWriter& writer) {
  (void)co_await writer.send(200, {}, "ok");
}

constexpr const char* kGet = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace

TEST_CASE("server: answers with Content-Length and keeps the connection") {
  TestServer server(echo);
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send("POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"));
    const Answer answer = read_answer(client);
    CHECK(answer.has("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.has("X-Path: /a\r\n"));
    CHECK(answer.has("\r\nDate: "));
    CHECK_FALSE(answer.has("Connection"));
    CHECK(answer.body == "hello");
  }
  CHECK(server.server().stats().requests == 3);
  CHECK(server.server().stats().accepted == 1);
}

TEST_CASE("server: one byte at a time") {
  TestServer server(echo);
  RawClient client(server.port());
  const std::string request =
      "POST /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n";
  for (int i = 0; i < 2; ++i) {
    for (const char c : request) {
      REQUIRE(client.send({&c, 1}));
    }
    const Answer answer = read_answer(client);
    CHECK(answer.status() == 200);
    CHECK(answer.body == "abcdefg");
  }
}

TEST_CASE("server: pipelined requests are answered in order") {
  TestServer server(echo);
  RawClient client(server.port());
  std::string all;
  constexpr int kRequests = 500;
  for (int i = 0; i < kRequests; ++i) {
    all += i % 3 == 0 ? "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n"
                      : "POST /" + std::to_string(i) +
                            " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
  }
  REQUIRE(client.send(all));
  for (int i = 0; i < kRequests; ++i) {
    const Answer answer = read_answer(client);
    REQUIRE(answer.has("X-Path: /" + std::to_string(i) + "\r\n"));
    CHECK(answer.body == (i % 3 == 0 ? "" : "hi"));
  }
}

TEST_CASE("server: streamed answers are chunked and have trailers") {
  TestServer server(stream_three);
  RawClient client(server.port());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.send(kGet));
    const std::string head = client.until("\r\n\r\n");
    CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(head.find("Trailer: X-Stream-Error\r\n") != std::string::npos);
    CHECK(head.find("Content-Length") == std::string::npos);
    CHECK(client.until("0\r\n") == "4\r\none\n\r\n4\r\ntwo\n\r\n6\r\nthree\n\r\n0\r\n");
    CHECK(client.until("\r\n\r\n") == "X-Stream-Error: broke  X-Evil: 1\r\n\r\n");
  }
}

TEST_CASE("server: HTTP/1.0 gets no chunks and a close") {
  TestServer server(stream_three);
  RawClient client(server.port());
  REQUIRE(client.send("GET / HTTP/1.0\r\n\r\n"));
  const std::string all = client.all();
  CHECK(all.starts_with("HTTP/1.0 200 OK\r\n"));
  CHECK(all.ends_with("\r\n\r\none\ntwo\nthree\n"));
  CHECK(all.find("Transfer-Encoding") == std::string::npos);

  TestServer plain(echo);
  RawClient kept(plain.port());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    CHECK(read_answer(kept).has("Connection: keep-alive\r\n"));
  }
  REQUIRE(kept.send("GET / HTTP/1.0\r\n\r\n"));
  CHECK(kept.all().find("Connection") == std::string::npos);
}

TEST_CASE("server: HEAD has headers only") {
  TestServer server(echo);
  RawClient client(server.port());
  REQUIRE(client.send("HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"));
  const std::string head = client.until("\r\n\r\n");
  CHECK(head.find("Content-Length: 3\r\n") != std::string::npos);
  REQUIRE(client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));  // nothing of a body in between
  CHECK(client.until("\r\n\r\n").find("Content-Length") == std::string::npos);

  TestServer streamed(stream_three);
  RawClient other(streamed.port());
  REQUIRE(other.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  const std::string all = other.all();
  CHECK(all.ends_with("\r\n\r\n"));
  CHECK(all.find("one") == std::string::npos);
}

TEST_CASE("server: 204 has neither body nor length") {
  TestServer server(no_content);
  RawClient client(server.port());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.send(kGet));
    const std::string head = client.until("\r\n\r\n");
    CHECK(head.starts_with("HTTP/1.1 204 No Content\r\n"));
    CHECK(head.find("Content-Length") == std::string::npos);
  }
}

TEST_CASE("server: 100-continue is sent when the body is wanted, and only then") {
  TestServer server(echo);
  RawClient client(server.port());
  const char* head =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  REQUIRE(client.send(head));
  CHECK(client.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("body"));
  CHECK(read_answer(client).body == "body");

  TestServer lazy(ignore_body);
  RawClient other(lazy.port());
  REQUIRE(other.send(head));
  const Answer answer = read_answer(other);
  CHECK(answer.status() == 200);
  CHECK(answer.has("Connection: close\r\n"));
  CHECK(other.closed());

  RawClient third(server.port());
  REQUIRE(third.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n"));
  CHECK(third.all().starts_with("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\n"));
}

TEST_CASE("server: what a handler leaves of the body does not disturb the next request") {
  TestServer server(ignore_body);
  RawClient client(server.port());
  const std::string body(100000, 'x');
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + body));
    const Answer answer = read_answer(client);
    CHECK(answer.status() == 200);
    CHECK_FALSE(answer.has("Connection"));
  }
  RawClient big(server.port());
  REQUIRE(big.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + body));
  const Answer answer = read_answer(big);
  CHECK(answer.status() == 200);
  CHECK(answer.has("Connection: close\r\n"));
  CHECK(big.closed());
}

TEST_CASE("server: malformed requests get Go's words and a close") {
  TestServer server(echo);
  const std::pair<const char*, const char*> cases[] = {
      {"nonsense\r\n", "400 Bad Request"},
      {"\r\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header"},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n",
       "505 HTTP Version Not Supported: unsupported protocol version"},
      {"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "400 Bad Request"},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400 Bad Request"},
  };
  for (const auto& [sent, expected] : cases) {
    CAPTURE(sent);
    RawClient client(server.port());
    REQUIRE(client.send(sent));
    CHECK(client.all() == std::string("HTTP/1.1 ") + expected +
                              "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: "
                              "close\r\n\r\n" +
                              expected);
  }
  RawClient client(server.port());
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"));
  const std::string all = client.all();
  CHECK(all.starts_with("HTTP/1.1 501 Not Implemented\r\n"));
  CHECK(all.ends_with("Unsupported transfer encoding"));
}

TEST_CASE("server: a bad chunk is an error for the handler and ends the connection") {
  TestServer server(echo);
  RawClient client(server.port());
  REQUIRE(
      client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "zz\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"));
  const std::string all = client.all();
  CHECK(all.find("malformed chunked encoding") != std::string::npos);
  CHECK(all.find("Connection: close") != std::string::npos);
  CHECK(all.find("smuggled") == std::string::npos);
}

TEST_CASE("server: header limit is 431 as Go writes it") {
  TestServer server(echo);
  RawClient fits(server.port());
  REQUIRE(fits.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(8000, 'a') + "\r\n\r\n"));
  CHECK(read_answer(fits).status() == 200);
  RawClient client(server.port());
  REQUIRE(client.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(20000, 'a') + "\r\n\r\n"));
  CHECK(client.all() ==
        "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; "
        "charset=utf-8\r\nConnection: close\r\n\r\n431 Request Header Fields Too Large");
}

TEST_CASE("server: a handler without an answer, or with half of one, closes") {
  for (const Handler& handler : {Handler(no_answer), Handler(throws)}) {
    TestServer server(handler);
    RawClient client(server.port());
    REQUIRE(client.send(kGet));
    CHECK(client.closed());
    CHECK(client.all().empty());
  }
  TestServer server(half_answer);
  RawClient client(server.port());
  REQUIRE(client.send(kGet));
  const std::string all = client.all();
  CHECK(all.ends_with("4\r\nhalf\r\n"));
  CHECK(all.find("\r\n0\r\n") == std::string::npos);
}

TEST_CASE("server: close_after and Connection: close") {
  TestServer server(close_asked);
  RawClient client(server.port());
  REQUIRE(client.send(kGet));
  CHECK(client.all().find("Connection: close\r\n") != std::string::npos);
  TestServer kept(echo);
  RawClient other(kept.port());
  REQUIRE(other.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  CHECK(other.all().find("Connection: close\r\n") != std::string::npos);
}

TEST_CASE("server: a half-closed client still gets its answer") {
  TestServer server(echo);
  RawClient client(server.port());
  REQUIRE(client.send("GET /half HTTP/1.0\r\n\r\n"));
  client.half_close();
  CHECK(client.all().find("X-Path: /half") != std::string::npos);
}

namespace {

// Like a handler that asks the owner of some state on another thread.
Task<void> travel(std::shared_ptr<asio::io_context> other, std::thread::id home, Request& request,
                  ResponseWriter& writer) {
  co_await resume_on(other->get_executor());
  const bool there = std::this_thread::get_id() == home;
  auto piece = co_await request.body->read();
  co_await resume_on(other->get_executor());
  (void)co_await writer.begin(200, {});
  co_await resume_on(other->get_executor());
  (void)co_await writer.write(there ? "there" : "nowhere");
  co_await resume_on(other->get_executor());
  (void)co_await writer.end({});
  co_await resume_on(other->get_executor());
}

}  // namespace

TEST_CASE("server: a handler may leave the connection's strand and come back") {
  const auto other = std::make_shared<asio::io_context>();
  auto work = asio::make_work_guard(*other);
  std::thread thread([other] { other->run(); });
  {
    TestServer server([other, home = thread.get_id()](Request& request, ResponseWriter& writer) {
      return travel(other, home, request, writer);
    });
    RawClient client(server.port());
    for (int i = 0; i < 20; ++i) {
      REQUIRE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
      CHECK(client.until("0\r\n\r\n").ends_with("\r\n\r\n5\r\nthere\r\n0\r\n\r\n"));
    }
  }
  work.reset();
  thread.join();
}

TEST_CASE("server: unix socket") {
  Loop loop;
  Server server(loop.context(), {}, echo);
  const std::string path = "/tmp/ica_http_" + std::to_string(::getpid()) + ".sock";
  REQUIRE(server.listen_unix(path));
  Server second(loop.context(), {}, echo);
  const auto taken = second.listen_unix(path);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message() == "listen unix " + path + ": bind: address already in use");
  {
    Client client({.unix_socket = path});
    ClientRequest request;
    request.url = "http://localhost/over/unix";
    const auto answer = loop.run(client.fetch(request));
    REQUIRE(answer);
    CHECK(find_header(answer->headers, "X-Path") == "/over/unix");
  }
  loop.run(server.shutdown(0s));
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("server: a taken port says so as Go does") {
  TestServer server(echo);
  Loop loop;
  Server second(loop.context(), {}, echo);
  const auto bound = second.listen("127.0.0.1", server.port());
  REQUIRE_FALSE(bound);
  CHECK(bound.error().message() ==
        "listen tcp 127.0.0.1:" + std::to_string(server.port()) + ": bind: address already in use");
}
