#include <doctest/doctest.h>
#include <filesystem>

#include "tests/unit/ipfs/fake_kubo.h"

using namespace ica;
using namespace ica::ipfs;
using namespace ica::ipfs::test;

namespace {

std::string refused(const FakeKubo& kubo, const std::string& path) {
  const std::string url = kubo.url(path);
  const std::string host = url.substr(7, url.find("/api") - 7);
  return fmt::format("Post \"{}\": dial tcp {}: connect: connection refused", url, host);
}

}  // namespace

TEST_CASE(
    "an absent Kubo is told at once with the words of each call, and noticed when it is back") {
  Bench bench;
  REQUIRE(bench.until([&] { return bench.connector->reachable(); }));
  bench.kubo.down();
  auto first = bench.await(bench.connector->id(StopToken()));
  REQUIRE_FALSE(first.has_value());
  CHECK(first.error().code() == Code::Unavailable);
  CHECK(first.error().message() == refused(bench.kubo, "id"));
  CHECK_FALSE(bench.connector->reachable());

  // Refused without a try, and each in its own words.
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    auto again =
        bench.await(bench.connector->pin_status(cid(), api::PinMode::Recursive, StopToken()));
    CHECK(again.error().message() ==
          refused(bench.kubo, fmt::format("pin/ls?stream=true&arg={}&type=recursive", kCidText)));
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  CHECK(bench.calls("pin/ls", "refused") == 200);
  auto list = bench.await(bench.connector->pin_ls("recursive", StopToken()));
  REQUIRE_FALSE(list.has_value());
  CHECK(list.error().message() == refused(bench.kubo, "pin/ls?stream=true&type=recursive"));
  const Status pinned = bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken()));
  CHECK(Connector::reason_of(pinned.error()) == Reason::KuboDown);

  bench.kubo.up();
  CHECK(bench.until([&] { return bench.connector->reachable(); }));
  CHECK(bench.await(bench.connector->version(StopToken())).has_value());
}

TEST_CASE("a Kubo that comes up after us is found") {
  Bench bench;
  bench.kubo.down();
  REQUIRE(bench.until([&] { return bench.calls("version", "unreachable") >= 2; }));
  CHECK_FALSE(bench.connector->reachable());
  bench.kubo.up();
  CHECK(bench.until([&] { return bench.connector->reachable(); }));
}

TEST_CASE("one prober asks, with pauses, however many calls fail") {
  HttpConnectorOptions options;
  Bench bench(options);
  bench.kubo.down();
  REQUIRE(bench.until([&] { return bench.calls("version", "unreachable") >= 1; }));
  const auto start = std::chrono::steady_clock::now();
  const uint64_t before = bench.calls("version", "unreachable");
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(bench.await(bench.connector->repo_stat(StopToken())).has_value());
  }
  REQUIRE(bench.until([&] { return bench.calls("version", "unreachable") >= before + 5; }));
  // Pauses grow to 40 ms and vary by a quarter.
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(static_cast<double>(bench.calls("version", "unreachable") - before) <= seconds / 0.003 + 2);
  CHECK(bench.calls("repo/stat", "refused") + bench.calls("repo/stat", "unreachable") == 100);
}

TEST_CASE("a Kubo that hangs is found out, and calls do not hang with it") {
  HttpConnectorOptions options;
  options.request_timeout = std::chrono::milliseconds(100);
  options.pin_timeout = std::chrono::milliseconds(100);
  Bench bench(options);
  REQUIRE(bench.until([&] { return bench.connector->reachable(); }));
  for (const char* path : {"id", "version", "pin/ls"}) {
    bench.kubo.on(path,
                  [&bench](const httplib::Request&, httplib::Response&) { bench.kubo.hang(); });
  }
  auto failed = bench.await(bench.connector->id(StopToken()));
  REQUIRE_FALSE(failed.has_value());
  CHECK(failed.error().code() == Code::Timeout);
  CHECK(failed.error().message() ==
        fmt::format("Post \"{}\": context deadline exceeded", bench.kubo.url("id")));
  CHECK_FALSE(bench.connector->reachable());
  bench.kubo.answer("version", R"({"Version":"1"})");
  CHECK(bench.until([&] { return bench.connector->reachable(); }));
}

TEST_CASE("a Kubo that takes a pin and says nothing has hung") {
  HttpConnectorOptions options;
  options.pin_timeout = std::chrono::milliseconds(100);
  Bench bench(options);
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  bench.kubo.on("pin/add",
                [&bench](const httplib::Request&, httplib::Response&) { bench.kubo.hang(); });
  const Status done = bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken()));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message() == "context canceled");
  CHECK(Connector::reason_of(done.error()) == Reason::KuboDown);
}

TEST_CASE("a unix socket is an address too") {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("ica-kubo-{}.sock", ::getpid());
  std::filesystem::remove(path);
  httplib::Server server;
  server.Post("/api/v0/version", [](const httplib::Request&, httplib::Response& res) {
    res.set_content(R"({"Version":"unix"})", "application/json");
  });
  server.set_address_family(AF_UNIX);
  std::thread thread([&] { server.listen(path.string(), 80); });
  while (!server.is_running()) {
    std::this_thread::yield();
  }
  {
    Bench bench({}, *Multiaddr::parse("/unix" + path.string()));
    const auto version = bench.await(bench.connector->version(StopToken()));
    REQUIRE(version.has_value());
    CHECK(*version == "unix");
  }
  server.stop();
  thread.join();
  std::filesystem::remove(path);
}

TEST_CASE("a name is an address too") {
  Bench bench;
  const std::string port =
      bench.kubo.address().text().substr(std::string("/ip4/127.0.0.1/tcp/").size());
  HttpConnectorOptions options;
  options.node = *Multiaddr::parse("/dns4/localhost/tcp/" + port);
  auto named = *HttpConnector::create(options, bench.ctx.get_executor());
  CHECK(bench.await(named->version(StopToken())).has_value());
}
