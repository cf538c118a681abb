#include <doctest/doctest.h>

#include "common/codec/car.h"
#include "tests/unit/ipfs/fake_kubo.h"

using namespace ica;
using namespace ica::ipfs;
using namespace ica::ipfs::test;

namespace {

// For block/put.
constexpr uint64_t kDagCbor = 0x71;

BlockToPut block(int n, uint64_t codec = kDagCbor) {
  const std::string hash = Bytes("\x12\x20", 2) + Bytes(32, static_cast<char>(n));
  return {Cid::make_v1(codec, hash), fmt::format("data of block {}", n)};
}

// Reads the archive and answers as Kubo does.
FakeKubo::Handler import(std::shared_ptr<std::vector<CarBlock>> blocks, uint64_t forget = 0) {
  return [blocks, forget](const httplib::Request& req, httplib::Response& res) {
    const auto& [name, file] = *req.files.begin();
    CarReader car;
    car.push(file.content);
    for (auto next = car.next(); next && *next; next = car.next()) {
      blocks->push_back(**std::move(next));
    }
    res.set_content(fmt::format("{{\"Stats\":{{\"BlockCount\":{},\"BlockBytesCount\":1}}}}\n",
                                car.finish() ? blocks->size() - forget : 0),
                    "application/json");
  };
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
        "/api/v0/block/"
        "put?allow-big-block=true&cid-codec=dag-cbor&mhlen=32&mhtype=sha2-256&pin=false");
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

TEST_CASE("what Kubo can decode goes as one archive") {
  Bench bench;
  auto stored = std::make_shared<std::vector<CarBlock>>();
  bench.kubo.on("dag/import", import(stored));
  std::vector<BlockToPut> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back(block(i, i % 2 == 0 ? multicodec::kRaw : multicodec::kDagPb));
  }
  blocks[3].data = std::string("\r\n--ica-\0binary", 15);
  const auto done = bench.await(bench.connector->block_put(blocks, StopToken()));
  CHECK_MESSAGE(done.has_value(), (done ? "" : done.error().message()));
  REQUIRE(stored->size() == 20);
  for (size_t i = 0; i < blocks.size(); ++i) {
    CHECK((*stored)[i].cid == blocks[i].cid);
    CHECK((*stored)[i].data == blocks[i].data);
  }
  CHECK(bench.kubo.targets().back() ==
        "/api/v0/dag/import?allow-big-block=true&fast-provide-root=false&pin-roots=false&"
        "stats=true");
  CHECK(bench.calls("dag/import", "ok") == 1);

  bench.kubo.on("dag/import", import(stored, 1));
  stored->clear();
  const auto forgot = bench.await(bench.connector->block_put(blocks, StopToken()));
  REQUIRE_FALSE(forgot.has_value());
  CHECK(forgot.error().message() == "IPFS confirmed 19 of 20 blocks");

  bench.kubo.answer("dag/import", R"({"Message":"block was not found","Code":0,"Type":"error"})",
                    500);
  const auto refused = bench.await(bench.connector->block_put(blocks, StopToken()));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().find("block was not found") != std::string::npos);
}

TEST_CASE("mixed blocks take turns") {
  Bench bench;
  auto stored = std::make_shared<std::vector<CarBlock>>();
  auto files = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  bench.kubo.on("dag/import", import(stored));
  bench.kubo.on("block/put", confirm(files));
  std::vector<BlockToPut> blocks;
  blocks.push_back(block(1, multicodec::kRaw));
  blocks.push_back(block(2));
  blocks.push_back(block(3));
  const auto done = bench.await(bench.connector->block_put(blocks, StopToken()));
  CHECK_MESSAGE(done.has_value(), (done ? "" : done.error().message()));
  CHECK(stored->size() == 1);
  CHECK(files->size() == 2);
}
