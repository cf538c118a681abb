#include <doctest/doctest.h>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

constexpr size_t kTotal = 64 << 20;
constexpr size_t kPiece = 100'000;

char pattern(size_t at) {
  return static_cast<char>((at * 2654435761u) >> 24);
}

Bytes make_piece(size_t at, size_t size) {
  Bytes piece(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    piece[i] = pattern(at + i);
  }
  return piece;
}

bool is_pattern(const Bytes& piece, size_t at) {
  for (size_t i = 0; i < piece.size(); ++i) {
    if (piece[i] != pattern(at + i)) {
      return false;
    }
  }
  return true;
}

// Sends back what it gets while it gets it.
Task<void> echo_stream(Request& request, ResponseWriter& writer) {
  Headers headers{{"Trailer", "X-Bytes"}};
  (void)co_await writer.begin(200, std::move(headers));
  size_t bytes = 0;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece) {
      co_return;
    }
    if (!*piece) {
      break;
    }
    bytes += (*piece)->size();
    if (!co_await writer.write(std::move(**piece))) {
      co_return;
    }
  }
  Headers trailers{{"X-Bytes", std::to_string(bytes)}};
  (void)co_await writer.end(std::move(trailers));
}

Task<void> write_all(std::shared_ptr<ClientStream> stream, std::shared_ptr<std::atomic<bool>> ok) {
  for (size_t at = 0; at < kTotal; at += kPiece) {
    Bytes piece = make_piece(at, std::min(kPiece, kTotal - at));
    if (!co_await stream->write(std::move(piece))) {
      co_return;
    }
  }
  const auto finished = co_await stream->finish();
  *ok = finished.has_value();
}

Task<Result<size_t>> both_ways(Client& client, std::string url, Headers headers) {
  ClientRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.streamed_body = true;
  request.headers = std::move(headers);
  request.idle_timeout = std::chrono::seconds(20);
  CO_TRY(auto opened, co_await client.open(std::move(request)));
  const std::shared_ptr<ClientStream> stream = std::move(opened);
  const auto written = std::make_shared<std::atomic<bool>>(false);
  const auto executor = co_await asio::this_coro::executor;
  spawn(executor, write_all(stream, written), "the writing half");
  CO_TRY(const int status, co_await stream->status());
  if (status != 200) {
    co_return fail(Code::Internal, "status {}", status);
  }
  size_t at = 0;
  while (true) {
    CO_TRY(auto piece, co_await stream->read());
    if (!piece) {
      break;
    }
    if (!is_pattern(*piece, at)) {
      co_return fail(Code::Corrupt, "wrong bytes behind {}", at);
    }
    at += piece->size();
  }
  if (!*written) {
    co_return fail(Code::Internal, "the writing half did not end");
  }
  if (find_header(stream->trailers(), "X-Bytes") != std::to_string(at)) {
    co_return fail(Code::Internal, "no trailer");
  }
  co_return at;
}

Task<void> endless(Request&, ResponseWriter& writer) {
  (void)co_await writer.begin(200, {});
  const Bytes line(1000, 'x');
  while (co_await writer.write(line)) {
  }
}

Task<Result<size_t>> read_some(Client& client, std::string url, size_t pieces) {
  ClientRequest request;
  request.url = std::move(url);
  CO_TRY(auto stream, co_await client.open(std::move(request)));
  size_t total = 0;
  for (size_t i = 0; i < pieces; ++i) {
    CO_TRY(auto piece, co_await stream->read());
    total += piece ? piece->size() : 0;
    CO_TRY_VOID(co_await sleep_for(std::chrono::milliseconds(1)));
  }
  co_return total;
}

Task<void> swallow_slowly(Request& request, ResponseWriter& writer) {
  (void)co_await sleep_for(std::chrono::milliseconds(200), request.stop);
  size_t bytes = 0;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece || !*piece) {
      break;
    }
    bytes += (*piece)->size();
  }
  (void)co_await writer.send(200, {}, std::to_string(bytes));
}

Task<Result<Bytes>> upload(Client& client, std::string url, size_t total) {
  ClientRequest request;
  request.method = "PUT";
  request.url = std::move(url);
  request.streamed_body = true;
  CO_TRY(auto stream, co_await client.open(std::move(request)));
  for (size_t at = 0; at < total; at += kPiece) {
    CO_TRY_VOID(co_await stream->write(Bytes(std::min(kPiece, total - at), 'x')));
  }
  CO_TRY_VOID(co_await stream->finish());
  CO_TRY(auto piece, co_await stream->read());
  co_return piece.value_or("");
}

constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

}  // namespace

TEST_CASE("round trip: 64 MiB in both directions at once, memory bounded") {
  TestServer server(echo_stream);
  Client client({});
  const size_t before = resident();
  const auto bytes = server.loop().run(both_ways(client, server.url("/"), {}));
  if (!bytes) {
    FAIL(bytes.error().message());
  }
  CHECK(*bytes == kTotal);
  if (!kSanitized) {
    CHECK(resident() < before + (16 << 20));
  }
  const Headers sized{{"Content-Length", std::to_string(kTotal)}};
  const auto again = server.loop().run(both_ways(client, server.url("/"), sized));
  REQUIRE(again);
  CHECK(*again == kTotal);
}

TEST_CASE("round trip: a slow reader holds the sender back") {
  TestServer server(endless);
  Client client({});
  const size_t before = resident();
  const auto bytes = server.loop().run(read_some(client, server.url("/"), 20));
  REQUIRE(bytes);
  CHECK(*bytes > 0);
  if (!kSanitized) {
    CHECK(resident() < before + (16 << 20));
  }
  CHECK(eventually([&] { return server.server().stats().open == 0; }));  // the writer was told
}

TEST_CASE("round trip: a slow server holds the uploader back") {
  TestServer server(swallow_slowly);
  Client client({});
  const size_t before = resident();
  const auto answer = server.loop().run(upload(client, server.url("/"), 16 << 20));
  REQUIRE(answer);
  CHECK(*answer == std::to_string(16 << 20));
  if (!kSanitized) {
    CHECK(resident() < before + (8 << 20));
  }
}
