#include <doctest/doctest.h>

#include "tests/unit/ipfs/fake_kubo.h"

using namespace ica;
using namespace ica::ipfs;
using namespace ica::ipfs::test;

TEST_CASE("each call asks as the reference does") {
  Bench bench;
  auto& kubo = bench.kubo;
  kubo.answer("id",
              R"({"ID":"12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC","Addresses":[]})");
  kubo.answer("pin/rm", R"({"Pins":["x"]})");
  kubo.answer("pin/ls", fmt::format(R"({{"Cid":"{}","Type":"direct"}})", kCidText));
  kubo.answer("repo/stat", R"({"RepoSize":5,"StorageMax":9})");
  kubo.answer("swarm/peers",
              R"({"Peers":[{"Peer":"12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC"}]})");
  kubo.answer("swarm/connect", R"({"Strings":[]})");
  kubo.answer("resolve", fmt::format(R"({{"Path":"/ipfs/{}"}})", kCidText));
  kubo.answer("config/show", R"({"Datastore":{"StorageMax":"10GB"}})");
  kubo.answer("block/get", std::string("a\0b", 3));
  kubo.stream("repo/gc",
              {fmt::format(R"({{"Key":{{"/":"{}"}}}})", kCidText), "\n{\"Error\":\"e\"}\n"});

  const StopToken stop;
  CHECK(bench.await(bench.connector->id(stop)).has_value());
  CHECK(*bench.await(bench.connector->version(stop)) == "0.40.0");
  CHECK(bench.await(bench.connector->unpin(cid(), stop)).has_value());
  CHECK(*bench.await(bench.connector->pin_status(cid(), api::PinMode::Direct, stop)) ==
        PinKind::Direct);
  CHECK(bench.await(bench.connector->repo_stat(stop))->storage_max == 9);
  CHECK(bench.await(bench.connector->swarm_peers(stop))->size() == 1);
  CHECK(
      bench.await(bench.connector->swarm_connect(*Multiaddr::parse("/ip4/1.2.3.4/tcp/4001"), stop))
          .has_value());
  CHECK(bench.await(bench.connector->resolve("/ipns/example.org/a b", stop))->text() == kCidText);
  CHECK(*bench.await(bench.connector->config_key("Datastore/StorageMax", stop)) == "\"10GB\"");
  CHECK(*bench.await(bench.connector->block_get(cid(), stop)) == std::string("a\0b", 3));
  const auto gc = bench.await(bench.connector->repo_gc(stop));
  REQUIRE(gc.has_value());
  CHECK(gc->size() == 2);
  CHECK(gc->at(1).error == "e");

  const auto targets = kubo.targets();
  const auto asked = [&](const std::string& target) {
    return std::find(targets.begin(), targets.end(), "/api/v0/" + target) != targets.end();
  };
  CHECK(asked("id"));
  CHECK(asked(fmt::format("pin/rm?arg={}", kCidText)));
  CHECK(asked(fmt::format("pin/ls?stream=true&arg={}&type=direct", kCidText)));
  CHECK(asked("repo/stat?size-only=true"));
  CHECK(asked("swarm/peers"));
  CHECK(asked("swarm/connect?arg=%2Fip4%2F1.2.3.4%2Ftcp%2F4001"));
  CHECK(asked("resolve?arg=%2Fipns%2Fexample.org%2Fa+b"));
  CHECK(asked("config/show"));
  CHECK(asked(fmt::format("block/get?arg={}", kCidText)));
  CHECK(asked("repo/gc?stream-errors=true"));
  CHECK(bench.calls("id", "ok") == 1);
  CHECK(bench.calls("repo/gc", "ok") == 1);
}

TEST_CASE("errors have the reference's words") {
  Bench bench;
  bench.kubo.answer("resolve", R"({"Message":"no link named \"nope\"","Code":0,"Type":"error"})",
                    500);
  auto failed = bench.await(bench.connector->resolve("/ipfs/x", StopToken()));
  CHECK(failed.error().message() ==
        "IPFS error (resolve?arg=%2Fipfs%2Fx). Code: 500. Message: no link named \"nope\"");
  CHECK(failed.error().code() == Code::Internal);
  bench.kubo.answer("repo/stat", "gateway timeout", 502);
  auto odd = bench.await(bench.connector->repo_stat(StopToken()));
  CHECK(
      odd.error().message() ==
      "IPFS request failed (is it running?) (repo/stat?size-only=true). Code 502: gateway timeout");
  bench.kubo.answer("id", "half a docum");
  CHECK(bench.await(bench.connector->id(StopToken())).error().code() == Code::Protocol);
  CHECK(bench.calls("resolve", "error") == 1);
  CHECK(bench.connector->reachable());  // it said no, but it is there
}

TEST_CASE("what is not pinned is no error, and neither is unpinning it") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  CHECK(*bench.await(bench.connector->pin_status(cid(), api::PinMode::Recursive, StopToken())) ==
        PinKind::Unpinned);
  bench.kubo.answer(
      "pin/rm", R"({"Message":"not pinned or pinned indirectly","Code":0,"Type":"error"})", 500);
  CHECK(bench.await(bench.connector->unpin(cid(), StopToken())).has_value());
  bench.kubo.answer("pin/rm", R"({"Message":"lock held","Code":0,"Type":"error"})", 500);
  CHECK(bench.await(bench.connector->unpin(cid(), StopToken())).error().message() ==
        fmt::format("IPFS error (pin/rm?arg={}). Code: 500. Message: lock held", kCidText));
}

TEST_CASE("unpin_disable refuses without a call") {
  HttpConnectorOptions options;
  options.unpin_disable = true;
  Bench bench(options);
  CHECK(bench.await(bench.connector->unpin(cid(), StopToken())).error().message() ==
        "ipfs unpinning is disallowed by configuration on this peer");
  CHECK(bench.kubo.count("pin/rm") == 0);
}

namespace {

Task<Result<std::vector<ListedPin>>> drain(std::shared_ptr<HttpConnector> connector,
                                           size_t* batches) {
  CO_TRY(auto list, co_await connector->pin_ls("recursive", StopToken()));
  std::vector<ListedPin> all;
  while (true) {
    CO_TRY(const auto batch, co_await list->next());
    if (batch.empty()) {
      co_return all;
    }
    ++*batches;
    all.insert(all.end(), batch.begin(), batch.end());
  }
}

}  // namespace

TEST_CASE("a long list comes in batches") {
  Bench bench;
  std::string line =
      fmt::format("{{\"Cid\":\"{}\",\"Type\":\"recursive\",\"Name\":\"n\"}}\n", kCidText);
  std::string piece;
  for (int i = 0; i < 5000; ++i) {
    piece += line;
  }
  // Cut in the middle of a line.
  bench.kubo.stream("pin/ls", {piece + line.substr(0, 20), line.substr(20) + piece});
  size_t batches = 0;
  const auto all = bench.await(drain(bench.connector, &batches));
  REQUIRE(all.has_value());
  CHECK(all->size() == 10'001);
  CHECK(batches >= 5);
  CHECK(bench.kubo.targets().back() == "/api/v0/pin/ls?stream=true&type=recursive");
}

TEST_CASE("a list that breaks off, lies or has no end of line is an error, never a short list") {
  Bench bench;
  const std::string line = fmt::format("{{\"Cid\":\"{}\",\"Type\":\"recursive\"}}\n", kCidText);
  size_t batches = 0;
  SUBCASE("half a line") {
    bench.kubo.stream("pin/ls", {line + line.substr(0, 30)});
  }
  SUBCASE("garbage") {
    bench.kubo.stream("pin/ls", {line, "<html>\n"});
  }
  SUBCASE("an error in the stream") {
    bench.kubo.stream("pin/ls", {line, R"({"Message":"boom","Code":0,"Type":"error"})"});
  }
  SUBCASE("a huge line") {
    bench.kubo.stream("pin/ls", {line, std::string(3 << 20, 'x')});
  }
  SUBCASE("cut in the middle of the body") {
    bench.kubo.on("pin/ls", [line](const httplib::Request&, httplib::Response& res) {
      res.set_content_provider(line.size() * 1000, "application/json",
                               [line](size_t, size_t, httplib::DataSink& sink) {
                                 sink.write(line.data(), line.size());
                                 return false;
                               });
    });
  }
  CHECK_FALSE(bench.await(drain(bench.connector, &batches)).has_value());
}

TEST_CASE("an address that HTTP cannot go to is refused") {
  asio::io_context ctx;
  HttpConnectorOptions options;
  options.node = *Multiaddr::parse("/ip4/127.0.0.1/udp/5001");
  CHECK_FALSE(HttpConnector::create(options, ctx.get_executor()).has_value());
}
