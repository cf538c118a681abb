#include "agent/cmd/pinset_protocol.h"

#include "agent/p2p/frames.h"
#include "tests/unit/crdt/support.h"
#include "tests/unit/p2p/fake_network.h"

namespace ica::cmd {
namespace {

using crdt::test::put_op;
using crdt::test::ScratchDir;
using crdt::test::test_pin;

PeerId peer_id(const std::string& name) {
  return *PeerId::from_bytes(crdt::block_cid(crdt::block_digest(name)).multihash());
}

// One of two peers on a network in memory.
struct Side {
  Side(p2p::FakeWire& wire, const std::filesystem::path& path, const std::string& name)
      : peer(path), host(wire, peer_id(name)), protocol(host, *peer.replica, wire.executor()) {}
  crdt::test::Peer peer;
  p2p::FakeHost host;
  PinsetProtocol protocol;
};

struct Collector final : crdt::HistorySink {
  Task<bool> take(std::vector<Bytes> more) override {
    blocks.insert(blocks.end(), more.begin(), more.end());
    co_return blocks.size() < limit;
  }
  std::vector<Bytes> blocks;
  size_t limit = SIZE_MAX;
};

Task<void> fetch(PinsetProtocol* protocol, PeerId from, Bytes request,
                 std::shared_ptr<Collector> sink, Status* outcome) {
  *outcome = co_await protocol->stream(from, std::move(request), sink, StopToken());
}

Task<void> send(p2p::FakeHost* host, PeerId to, Bytes data, Result<Bytes>* answer) {
  std::vector<std::string> protocols(1, std::string(PinsetProtocol::kHistory));
  auto stream = co_await host->open_stream(to, std::move(protocols), std::chrono::seconds(5), {});
  const Status sent = co_await (*stream)->write(std::move(data));
  (void)sent;
  *answer = co_await (*stream)->read_some(100);
}

TEST_CASE("a history comes from the top down, as far as the asker does not have it") {
  asio::io_context context;
  p2p::FakeWire wire(context.get_executor());
  ScratchDir dir;
  Side old(wire, dir.path() / "old", "old");
  Side other(wire, dir.path() / "new", "new");
  old.protocol.serve();
  wire.connect(old.host, other.host);
  CHECK(other.protocol.streams(old.host.self()));
  CHECK_FALSE(old.protocol.streams(other.host.self()));
  std::vector<Bytes> digests;
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto made = *old.peer.replica->write({put_op(test_pin(i))});
    digests.insert(digests.end(), made.begin(), made.end());
  }
  crdt::HistoryRequest request;
  request.want = old.peer.replica->heads();
  request.have = {digests[499]};
  request.max_bytes = 64 << 20;
  auto sink = std::make_shared<Collector>();
  Status outcome = fail(Code::Internal, "not run");
  SUBCASE("all of it") {
    spawn(wire.executor(),
          fetch(&other.protocol, old.host.self(), encode_history_request(request), sink, &outcome),
          "test");
    context.run();
    CHECK(outcome.has_value());
    REQUIRE(sink->blocks.size() == 1500);
    for (size_t i = 0; i < sink->blocks.size(); ++i) {
      CHECK(crdt::block_digest(sink->blocks[i]) == digests[1999 - i]);
    }
  }
  SUBCASE("until it is refused") {
    sink->limit = 100;
    spawn(wire.executor(),
          fetch(&other.protocol, old.host.self(), encode_history_request(request), sink, &outcome),
          "test");
    context.run();
    CHECK(outcome.has_value());
    CHECK(sink->blocks.size() < 1500);
  }
  SUBCASE("as many bytes as asked for") {
    request.max_bytes = 1000;
    spawn(wire.executor(),
          fetch(&other.protocol, old.host.self(), encode_history_request(request), sink, &outcome),
          "test");
    context.run();
    CHECK(outcome.has_value());
    CHECK(sink->blocks.size() < 20);
    CHECK_FALSE(sink->blocks.empty());
  }
}

TEST_CASE("a bad request for a history is reset") {
  asio::io_context context;
  p2p::FakeWire wire(context.get_executor());
  ScratchDir dir;
  Side old(wire, dir.path() / "old", "old");
  Side other(wire, dir.path() / "new", "new");
  old.protocol.serve();
  wire.connect(old.host, other.host);
  for (const Bytes& request : {p2p::frame("\x0a\x03"
                                          "abc"),
                               Bytes(10, '\xff')}) {
    Result<Bytes> answer = Bytes("none");
    spawn(wire.executor(), send(&other.host, old.host.self(), request, &answer), "test");
    context.restart();
    context.run();
    CHECK_FALSE(answer.has_value());
  }
}

TEST_CASE("peers of our kind tell each other how their pinset stands") {
  asio::io_context context;
  p2p::FakeWire wire(context.get_executor());
  ScratchDir dir;
  Side old(wire, dir.path() / "old", "old");
  Side other(wire, dir.path() / "new", "new");
  old.protocol.serve();
  wire.connect(old.host, other.host);
  REQUIRE(old.peer.replica->write({put_op(test_pin(1)), put_op(test_pin(2))}).has_value());
  StopSource stop;
  spawn(wire.executor(), PinsetProtocol::ask_peers(&other.protocol, stop.get_token()), "test");
  for (int i = 0; i < 1000 && other.protocol.peers().empty(); ++i) {
    context.run_one();
  }
  const auto peers = other.protocol.peers();
  REQUIRE(peers.size() == 1);
  CHECK(peers[0].peer == old.host.self());
  CHECK(peers[0].info.digest == old.peer.replica->info().digest);
  CHECK(peers[0].info.pins == 2);
  CHECK(peers[0].info.height == 1);
  stop.request_stop();
  context.run();
}

}  // namespace
}  // namespace ica::cmd
