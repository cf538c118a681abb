#include "agent/monitor/monitor.h"

#include <doctest/doctest.h>

#include "agent/monitor/informer.h"

namespace ica::monitor {
namespace {

PeerId peer(int n) {
  Bytes bytes = std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(28, 'p');
  for (int i = 3; i >= 0; --i) {
    bytes.push_back(static_cast<char>(n >> (8 * i) & 0xff));
  }
  return PeerId::from_bytes(bytes).value();
}

api::Metric metric(const ManualClock& clock, int n, std::string name = "ping",
                   Duration ttl = std::chrono::seconds(30)) {
  api::Metric out;
  out.name = std::move(name);
  out.peer = peer(n);
  out.valid = true;
  out.value = "{}";
  out.expire = clock.now().plus(ttl).unix_nanos();
  return out;
}

TEST_CASE("latest metrics leave when they expire") {
  ManualClock clock;
  Monitor monitor(clock);
  CHECK(monitor.add(metric(clock, 1)));
  CHECK(monitor.add(metric(clock, 0)));
  CHECK(monitor.alive() == std::vector<PeerId>{peer(0), peer(1)});
  CHECK(monitor.latest("ping").front().received_at == clock.now().unix_nanos());
  clock.advance(std::chrono::seconds(31));
  CHECK(monitor.latest("ping").empty());
  CHECK(monitor.last_of("ping", peer(1)));
  CHECK(monitor.names() == std::vector<std::string>{"ping"});
}

TEST_CASE("invalid and expired metrics are not kept") {
  ManualClock clock;
  Monitor monitor(clock);
  auto bad = metric(clock, 0);
  bad.valid = false;
  CHECK(!monitor.add(bad));
  CHECK(!monitor.add(metric(clock, 0, "ping", -std::chrono::seconds(1))));
  CHECK(monitor.names().empty());
}

TEST_CASE("bounds hold against a peer that sends anything") {
  ManualClock clock;
  Monitor monitor(clock);
  for (size_t i = 0; i < Monitor::kMaxNames; ++i) {
    CHECK(monitor.add(metric(clock, 0, "name" + std::to_string(i))));
  }
  CHECK(!monitor.add(metric(clock, 0, "one more")));
  for (size_t i = 1; i < Monitor::kMaxPeers; ++i) {
    REQUIRE(monitor.add(metric(clock, static_cast<int>(i), "name0")));
  }
  CHECK(!monitor.add(metric(clock, 1 << 20, "name0")));
}

TEST_CASE("one alert per metric and peer until it returns") {
  ManualClock clock;
  Monitor monitor(clock);
  monitor.add(metric(clock, 0));
  CHECK(monitor.check().empty());
  clock.advance(std::chrono::seconds(31));
  CHECK(monitor.check().size() == 1);
  CHECK(monitor.check().empty());
  monitor.add(metric(clock, 0));
  CHECK(monitor.check().empty());
  clock.advance(std::chrono::seconds(31));
  CHECK(monitor.check().size() == 1);
  CHECK(monitor.alerts().size() == 2);
  CHECK(monitor.alerts().front().triggered_at > monitor.alerts().back().triggered_at);
}

TEST_CASE("the oldest alerts go, the rest stays") {
  ManualClock clock;
  Monitor monitor(clock);
  for (int i = 0; i < 1500; ++i) {
    monitor.add(metric(clock, i, "m", std::chrono::seconds(i + 1)));
  }
  for (int i = 0; i < 1500; ++i) {
    clock.advance(std::chrono::seconds(1));
    monitor.check();
  }
  clock.advance(std::chrono::seconds(2));
  monitor.check();
  const auto alerts = monitor.alerts();
  REQUIRE(alerts.size() == Monitor::kMaxAlerts);
  CHECK(alerts.front().metric.peer == peer(1499));
  CHECK(alerts.back().metric.peer == peer(500));
}

TEST_CASE("the value of a ping") {
  PingValue value;
  value.peername = "peer \"0\"";
  value.ipfs_id = PeerId::parse("12D3KooWQZmA893ZpgsnjTWEH1rpaZ1E461d8A6cjq4MWERBdsmC").value();
  value.ipfs_addresses = {Multiaddr::parse("/dns4/example.org/tcp/4001").value()};
  const PingValue read = decode_ping(encode_ping(value));
  CHECK(read.peername == value.peername);
  CHECK(read.ipfs_id == value.ipfs_id);
  CHECK(read.ipfs_addresses == value.ipfs_addresses);
  CHECK(encode_ping({}) == "{}");
  CHECK(decode_ping("[1").peername.empty());
  CHECK(decode_ping("{\"peer_name\":5,\"ipfs_id\":\"x\",\"ipfs_addresses\":[5,\"y\"]}")
            .ipfs_addresses.empty());

  ManualClock clock;
  Monitor monitor(clock);
  auto ping = metric(clock, 0);
  ping.value = encode_ping(value);
  monitor.add(ping);
  clock.advance(std::chrono::hours(1));
  CHECK(monitor.ping_of(peer(0)).peername == value.peername);  // also when it is gone
  CHECK(monitor.ping_of(peer(1)).peername.empty());
}

TEST_CASE("what this peer tells of itself") {
  CHECK(freespace_metric(30, 100).value == "70");
  CHECK(freespace_metric(30, 100).weight == 70);
  CHECK(!freespace_metric(100, 100).valid);
  CHECK(!freespace_metric(200, 100).valid);
  CHECK(reposize_metric(30).weight == -30);
  CHECK(pinqueue_metric(250000, 100000).weight == -2);
  CHECK(pinqueue_metric(5, 100000).value == "5");
  CHECK(tag_metric("eu").partitionable);
}

Task<api::Metric> count(int* calls) {
  ++*calls;
  co_return pinqueue_metric(static_cast<uint64_t>(*calls), 1);
}

TEST_CASE("publishing fills in who and until when, and ends when stopped") {
  asio::io_context context;
  ManualClock clock;
  Monitor monitor(clock);
  std::vector<api::Metric> sent;
  StopSource stop;
  Publisher publisher(monitor, clock, peer(3), [&](const api::Metric& m) {
    sent.push_back(m);
    if (sent.size() == 3) {
      stop.request_stop();
    }
  });
  int calls = 0;
  Informer informer{"pinqueue", std::chrono::seconds(10), std::chrono::milliseconds(1),
                    [&calls] { return count(&calls); }};
  asio::co_spawn(context, publisher.run(informer, stop.get_token()), asio::detached);
  context.run();
  REQUIRE(sent.size() == 3);
  CHECK(sent[0].peer == peer(3));
  CHECK(sent[0].expire == clock.now().plus(std::chrono::seconds(10)).unix_nanos());
  CHECK(monitor.latest("pinqueue").front().value == "3");
}

}  // namespace
}  // namespace ica::monitor
