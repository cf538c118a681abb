#include <doctest/doctest.h>

#include "tests/unit/ipfs/fake_kubo.h"

using namespace ica;
using namespace ica::ipfs;
using namespace ica::ipfs::test;

namespace {

BlockToPut block(int n) {
  const std::string hash = Bytes("\x12\x20", 2) + Bytes(32, static_cast<char>(n));
  return {Cid::make_v1(multicodec::kRaw, hash), fmt::format("data of block {}", n)};
}

Task<Status> put(std::shared_ptr<HttpConnector> connector, int n, size_t size, StopToken stop) {
  CO_TRY(auto sink, co_await connector->block_put_stream(stop));
  for (int i = 0; i < n; ++i) {
    BlockToPut next = block(i % 100);
    next.data.resize(size, 'x');
    CO_TRY_VOID(co_await sink->write(std::move(next)));
  }
  co_return co_await sink->finish();
}

// Answers a key for each file, as Kubo does.
FakeKubo::Handler confirm(std::shared_ptr<std::vector<std::pair<std::string, std::string>>> files,
                          int forget = 0) {
  return [files, forget](const httplib::Request& req, httplib::Response& res) {
    std::string body;
    int n = 0;
    for (const auto& [name, file] : req.files) {
      files->emplace_back(file.filename, file.content);
      if (n++ >= forget) {
        body += fmt::format("{{\"Key\":\"{}\",\"Size\":{}}}\n", file.filename, file.content.size());
      }
    }
    res.set_content(body, "application/json");
  };
}

}  // namespace

TEST_CASE("many blocks go in one request, each a file named by its CID") {
  Bench bench;
  auto files = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  bench.kubo.on("block/put", confirm(files));
  std::vector<BlockToPut> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(block(i));
  }
  blocks[3].data = std::string("\r\n--ica-\0binary", 15);
  const auto done = bench.await(bench.connector->block_put(blocks, StopToken()));
  CHECK_MESSAGE(done.has_value(), (done ? "" : done.error().message()));
  REQUIRE(files->size() == 20);
  for (const BlockToPut& sent : blocks) {
    CHECK(std::find(files->begin(), files->end(), std::pair(sent.cid.text(), sent.data)) !=
          files->end());
  }
  CHECK(bench.kubo.count("block/put") == 1);
  CHECK(bench.kubo.targets().back() ==
        "/api/v0/block/put?allow-big-block=true&cid-codec=raw&mhlen=32&mhtype=sha2-256&pin=false");
  CHECK(bench.calls("block/put", "ok") == 1);
}

TEST_CASE("no block, no request") {
  Bench bench;
  CHECK(bench.await(bench.connector->block_put({}, StopToken())).has_value());
  CHECK(bench.await(put(bench.connector, 0, 1, StopToken())).has_value());
  CHECK(bench.kubo.count("block/put") == 0);
}

TEST_CASE("a block that Kubo did not confirm is an error") {
  Bench bench;
  auto files = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  bench.kubo.on("block/put", confirm(files, 1));
  const auto done = bench.await(put(bench.connector, 5, 10, StopToken()));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message() == "IPFS confirmed 4 of 5 blocks");
}

TEST_CASE("Kubo's refusal is told in its words") {
  Bench bench;
  bench.kubo.answer("block/put", R"({"Message":"no space left on device","Code":0,"Type":"error"})",
                    500);
  const auto done = bench.await(put(bench.connector, 50, 100'000, StopToken()));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message().find("no space left on device") != std::string::npos);
}

TEST_CASE("a Kubo that is away refuses before anything is read") {
  Bench bench;
  REQUIRE(bench.until([&] { return bench.connector->reachable(); }));
  bench.kubo.down();
  CHECK_FALSE(bench.await(bench.connector->version(StopToken())).has_value());
  const auto sink = bench.await(bench.connector->block_put_stream(StopToken()));
  REQUIRE_FALSE(sink.has_value());
  CHECK(sink.error().code() == Code::Unavailable);
}

TEST_CASE("a Kubo that takes no more bytes is given up on") {
  HttpConnectorOptions options;
  options.request_timeout = std::chrono::milliseconds(200);
  Bench bench(options);
  bench.kubo.on("block/put",
                [&bench](const httplib::Request&, httplib::Response&) { bench.kubo.hang(); });
  const auto done = bench.await(put(bench.connector, 3, 1000, StopToken()));
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code() == Code::Timeout);
}

TEST_CASE("a sink that is dropped ends its request") {
  Bench bench;
  bench.kubo.on("block/put",
                [&bench](const httplib::Request&, httplib::Response&) { bench.kubo.hang(); });
  StopSource stop;
  std::optional<Status> done;
  spawn(bench.ctx.get_executor(), keep(put(bench.connector, 2, 1000, stop.get_token()), &done),
        "put");
  REQUIRE(bench.until([&] { return bench.kubo.count("block/put") == 1; }));
  stop.request_stop();
  REQUIRE(bench.until([&] { return done.has_value(); }));
  CHECK_FALSE(done->has_value());
}
