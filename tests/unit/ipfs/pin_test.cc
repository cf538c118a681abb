#include <doctest/doctest.h>

#include "tests/unit/ipfs/fake_kubo.h"

using namespace ica;
using namespace ica::ipfs;
using namespace ica::ipfs::test;

namespace {

const std::string kPinned = fmt::format("{{\"Pins\":[\"{}\"]}}\n", kCidText);

HttpConnectorOptions quick() {
  HttpConnectorOptions options;
  options.pin_timeout = std::chrono::milliseconds(150);
  return options;
}

std::vector<std::string> pin_targets(FakeKubo& kubo) {
  std::vector<std::string> result;
  for (const std::string& target : kubo.targets()) {
    if (target != "/api/v0/version") {
      result.push_back(target.substr(8));
    }
  }
  return result;
}

}  // namespace

TEST_CASE("a pin asks first, then adds, and tells its progress") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  bench.kubo.stream("pin/add", {"{\"Progress\":1}\n", "{\"Progress\":1}\n",
                                "{\"Progress\":5,\"Bytes\":99}\n", kPinned});
  std::vector<uint64_t> nodes;
  uint64_t bytes = 0;
  const auto done = bench.await(bench.connector->pin(
      pin_of(cid()),
      [&](PinProgress progress) {
        nodes.push_back(progress.nodes);
        bytes = progress.bytes;
      },
      StopToken()));
  CHECK(done.has_value());
  CHECK(nodes == std::vector<uint64_t>{1, 5});
  CHECK(bytes == 99);
  CHECK(pin_targets(bench.kubo) ==
        std::vector<std::string>{
            fmt::format("pin/ls?stream=true&arg={}&type=recursive", kCidText),
            fmt::format("pin/add?arg={}&recursive=true&progress=true", kCidText)});
  CHECK(bench.calls("pin/add", "ok") == 1);
}

TEST_CASE("direct pins and depths have their own arguments") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  bench.kubo.stream("pin/add", {kPinned});
  CHECK(bench.await(bench.connector->pin(pin_of(cid(), 0), nullptr, StopToken())).has_value());
  CHECK(bench.await(bench.connector->pin(pin_of(cid(), 3), nullptr, StopToken())).has_value());
  const auto targets = pin_targets(bench.kubo);
  REQUIRE(targets.size() == 4);
  CHECK(targets[0] == fmt::format("pin/ls?stream=true&arg={}&type=direct", kCidText));
  CHECK(targets[1] == fmt::format("pin/add?arg={}&recursive=false&progress=true", kCidText));
  CHECK(targets[3] ==
        fmt::format("pin/add?arg={}&recursive=true&max-depth=3&progress=true", kCidText));
}

TEST_CASE("what Kubo holds already is not added again") {
  Bench bench;
  bench.kubo.answer("pin/ls", fmt::format(R"({{"Cid":"{}","Type":"recursive"}})", kCidText));
  CHECK(bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken())).has_value());
  CHECK(bench.kubo.count("pin/add") == 0);
}

TEST_CASE("pin_update is used when its source is pinned") {
  Bench bench;
  const auto from_pinned = std::make_shared<bool>(true);
  bench.kubo.on("pin/ls", [from_pinned](const httplib::Request& req, httplib::Response& res) {
    if (*from_pinned && req.get_param_value("arg") == kOtherText) {
      res.set_content(fmt::format(R"({{"Cid":"{}","Type":"recursive"}})", kOtherText),
                      "application/json");
    } else {
      res.status = 500;
      res.set_content(kNotPinned, "application/json");
    }
  });
  bench.kubo.answer("pin/update", R"({"Pins":["a","b"]})");
  bench.kubo.stream("pin/add", {kPinned});
  api::Pin pin = pin_of(cid());
  pin.options.pin_update = other();
  CHECK(bench.await(bench.connector->pin(pin, nullptr, StopToken())).has_value());
  CHECK(bench.kubo.targets().back() ==
        fmt::format("/api/v0/pin/update?arg={}&arg={}&unpin=false", kOtherText, kCidText));
  *from_pinned = false;
  CHECK(bench.await(bench.connector->pin(pin, nullptr, StopToken())).has_value());
  CHECK(bench.kubo.count("pin/add") == 1);
}

TEST_CASE("a pin_update that takes too long goes on as pin/add") {
  Bench bench(quick());
  bench.kubo.on("pin/ls", [](const httplib::Request& req, httplib::Response& res) {
    const bool source = req.get_param_value("arg") == kOtherText;
    res.status = source ? 200 : 500;
    res.set_content(source ? fmt::format(R"({{"Cid":"{}","Type":"recursive"}})", kOtherText)
                           : std::string(kNotPinned),
                    "application/json");
  });
  bench.kubo.stream("pin/update", {}, true);
  bench.kubo.stream("pin/add", {kPinned});
  api::Pin pin = pin_of(cid());
  pin.options.pin_update = other();
  CHECK(bench.await(bench.connector->pin(pin, nullptr, StopToken())).has_value());
  CHECK(bench.kubo.count("pin/update") == 1);
  CHECK(bench.kubo.count("pin/add") == 1);
  CHECK(bench.connector->reachable());
}

TEST_CASE("up to ten origins are connected in the background") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  bench.kubo.stream("pin/add", {kPinned});
  bench.kubo.answer("swarm/connect", "{}");
  api::Pin pin = pin_of(cid());
  for (int i = 0; i < 12; ++i) {
    pin.options.origins.items.push_back(
        *Multiaddr::parse(fmt::format("/ip4/10.0.0.{}/tcp/4001", i)));
  }
  CHECK(bench.await(bench.connector->pin(pin, nullptr, StopToken())).has_value());
  CHECK(bench.until([&] { return bench.kubo.count("swarm/connect") == 10; }));
}

TEST_CASE("a pin is cut when its progress stands still, and only then") {
  Bench bench(quick());
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  PinProgress last;
  const auto keep_progress = [&last](PinProgress progress) { last = progress; };
  SUBCASE("nobody provides it") {
    bench.kubo.stream("pin/add", {"{\"Progress\":0}\n"}, true);
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), keep_progress, StopToken()));
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message() == "context canceled");
    CHECK(Connector::reason_of(done.error(), last) == Reason::NoProviders);
    CHECK(bench.calls("pin/add", "timeout") == 1);
    CHECK(bench.connector->reachable());
  }
  SUBCASE("it stalls") {
    bench.kubo.stream("pin/add", {"{\"Progress\":4}\n"}, true);
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), keep_progress, StopToken()));
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message() == "context canceled");
    CHECK(Connector::reason_of(done.error(), last) == Reason::Stalled);
  }
  SUBCASE("repeated numbers are no progress") {
    auto n = std::make_shared<std::atomic<int>>(0);
    bench.kubo.on("pin/add", [n](const httplib::Request&, httplib::Response& res) {
      res.set_chunked_content_provider("application/json", [n](size_t, httplib::DataSink& sink) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // Kubo's own rhythm
        const std::string line = "{\"Progress\":3}\n";
        return sink.write(line.data(), line.size());
      });
    });
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), keep_progress, StopToken()));
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().message() == "context canceled");
  }
  SUBCASE("slow growth goes on for longer than the timeout") {
    auto n = std::make_shared<std::atomic<int>>(0);
    bench.kubo.on("pin/add", [n](const httplib::Request&, httplib::Response& res) {
      res.set_chunked_content_provider("application/json", [n](size_t, httplib::DataSink& sink) {
        std::this_thread::sleep_for(std::chrono::milliseconds(25));  // Kubo's own rhythm
        if (*n == 16) {
          sink.write(kPinned.data(), kPinned.size());
          sink.done();
          return true;
        }
        const std::string line = fmt::format("{{\"Progress\":0,\"Bytes\":{}}}\n", ++*n);
        return sink.write(line.data(), line.size());
      });
    });
    CHECK(bench.await(bench.connector->pin(pin_of(cid()), keep_progress, StopToken())).has_value());
  }
}

TEST_CASE("an answer to pin/add that ends early is not a pin") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  SUBCASE("a clean end without Pins is believed only if Kubo holds it") {
    bench.kubo.stream("pin/add", {"{\"Progress\":1}\n"});
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken()));
    CHECK_FALSE(done.has_value());
    CHECK(bench.kubo.count("pin/ls") == 2);
  }
  SUBCASE("half a line") {
    bench.kubo.stream("pin/add", {"{\"Progress\":1}\n{\"Pins\":[\"Qm"});
    CHECK_FALSE(bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken())).has_value());
  }
  SUBCASE("an error instead") {
    bench.kubo.stream("pin/add", {"{\"Progress\":1}\n",
                                  R"({"Message":"block was not found","Code":0,"Type":"error"})"});
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken()));
    CHECK(done.error().message() == "block was not found");
    CHECK(Connector::reason_of(done.error()) == Reason::KuboError);
  }
  SUBCASE("500") {
    bench.kubo.answer("pin/add", R"({"Message":"no space left on device","Code":0,"Type":"error"})",
                      500);
    const auto done = bench.await(bench.connector->pin(pin_of(cid()), nullptr, StopToken()));
    CHECK(Connector::reason_of(done.error()) == Reason::DiskFull);
  }
}

TEST_CASE("a stop ends a pin soon") {
  Bench bench;
  bench.kubo.answer("pin/ls", kNotPinned, 500);
  bench.kubo.stream("pin/add", {"{\"Progress\":1}\n"}, true);
  StopSource stop;
  std::optional<Status> done;
  bool progressed = false;
  spawn(bench.ctx.get_executor(),
        keep(bench.connector->pin(
                 pin_of(cid()), [&](PinProgress) { progressed = true; }, stop.get_token()),
             &done),
        "pin");
  REQUIRE(bench.until([&] { return progressed; }));
  stop.request_stop();
  REQUIRE(bench.until([&] { return done.has_value(); }));
  CHECK(done->error().code() == Code::Cancelled);
  CHECK(bench.connector->reachable());
}
