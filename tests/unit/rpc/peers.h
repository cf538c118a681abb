#pragma once

#include "agent/rpc/remote_peers.h"
#include "agent/rpc/server.h"
#include "common/base/async.h"
#include "tests/unit/cluster/fakes.h"
#include "tests/unit/p2p/fake_network.h"
#include "tests/unit/p2p/run.h"

// Peers that talk over a network in memory, on one context.
namespace ica::rpc {

using test::cid_number;
using test::peer_id;

class BlockStore final : public ipfs::BlockSink {
 public:
  struct Shared {
    explicit Shared(const Executor& executor) : opened(executor) {}
    std::map<Cid, Bytes> blocks;
    std::vector<Cid> order;
    bool closed = false;  // Kubo does not read
    std::optional<Error> broken;
    int finished = 0;
    Event opened;
  };
  explicit BlockStore(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Task<Status> write(ipfs::BlockToPut block) override {
    return write_to(shared_, std::move(block));
  }
  Task<Status> finish() override {
    ++shared_->finished;
    co_return Status();
  }

 private:
  static Task<Status> write_to(std::shared_ptr<Shared> shared, ipfs::BlockToPut block) {
    while (shared->closed) {
      (void)co_await shared->opened.wait();
    }
    if (shared->broken) {
      co_return fail(*shared->broken);
    }
    shared->order.push_back(block.cid);
    shared->blocks[block.cid] = std::move(block.data);
    co_return Status();
  }
  std::shared_ptr<Shared> shared_;
};

class Kubo final : public ipfs::Connector {
 public:
  explicit Kubo(const Executor& executor)
      : store(std::make_shared<BlockStore::Shared>(executor)), changed(executor) {}

  Task<Result<api::IpfsId>> id(StopToken stop) override { return inner.id(stop); }
  Task<Result<std::string>> version(StopToken stop) override { return inner.version(stop); }
  Task<Status> pin(api::Pin, std::function<void(ipfs::PinProgress)>, StopToken) override {
    co_return Status();
  }
  Task<Status> unpin(Cid, StopToken) override { co_return Status(); }
  Task<Result<ipfs::PinKind>> pin_status(Cid cid, api::PinMode mode, StopToken stop) override {
    return inner.pin_status(std::move(cid), mode, stop);
  }
  Task<Result<std::unique_ptr<ipfs::BatchStream<ipfs::ListedPin>>>> pin_ls(
      std::string type, StopToken stop) override {
    return inner.pin_ls(std::move(type), stop);
  }
  Task<Result<ipfs::RepoStat>> repo_stat(StopToken stop) override { return inner.repo_stat(stop); }
  Task<Result<std::vector<api::RepoGcKey>>> repo_gc(StopToken stop) override {
    if (hangs) {
      waiting = true;
      while (!stop.stop_requested()) {
        (void)co_await changed.wait(std::chrono::hours(1), stop);
      }
      waiting = false;
      co_return fail(Code::Cancelled, "context canceled");
    }
    co_return co_await inner.repo_gc(stop);
  }
  Task<Result<std::vector<PeerId>>> swarm_peers(StopToken stop) override {
    return inner.swarm_peers(stop);
  }
  Task<Status> swarm_connect(Multiaddr, StopToken) override { co_return Status(); }
  Task<Result<Cid>> resolve(std::string path, StopToken stop) override {
    return inner.resolve(std::move(path), stop);
  }
  Task<Result<std::string>> config_key(std::string key, StopToken stop) override {
    return inner.config_key(std::move(key), stop);
  }
  Task<Result<Bytes>> block_get(Cid cid, StopToken stop) override {
    return inner.block_get(std::move(cid), stop);
  }
  Task<Status> block_put(std::vector<ipfs::BlockToPut>, StopToken) override { co_return Status(); }
  Task<Result<std::unique_ptr<ipfs::BlockSink>>> block_put_stream(StopToken) override {
    std::unique_ptr<ipfs::BlockSink> sink = std::make_unique<BlockStore>(store);
    co_return sink;
  }
  bool reachable() const override { return inner.reachable(); }
  std::vector<ipfs::CallStats> call_stats() const override { return {}; }

  test::FakeKubo inner;
  const std::shared_ptr<BlockStore::Shared> store;
  Event changed;
  bool hangs = false;
  bool waiting = false;
};

// One peer of a cluster.
struct Peer {
  Peer(p2p::FakeWire& wire, int number, ServerOptions server_options = {},
       ClientOptions client_options = {})
      : id(peer_id(number)),
        tracker(pinset, id),
        kubo(wire.executor()),
        monitor(clock),
        host(wire, id),
        remote(host, monitor, nullptr, client_options),
        cluster(cluster::Parts{id, config, clock, pinset, tracker, kubo, monitor, remote,
                               cluster::Importer(), wire.executor(), nullptr}),
        server(host, cluster, kubo, server_options) {
    config.cluster.peername = "peer" + std::to_string(number);
    config.crdt.trusted_peers.all = true;
  }

  // `other` is a member with a fresh ping.
  void hears(const Peer& other) {
    api::Metric metric;
    metric.name = monitor::kPing;
    metric.peer = other.id;
    metric.value = "{\"peer_name\":\"" + other.config.cluster.peername + "\"}";
    metric.valid = true;
    metric.expire = clock.now().plus(std::chrono::hours(1)).unix_nanos();
    REQUIRE(monitor.add(std::move(metric)));
  }
  void pin(int n) {
    api::Pin pin;
    pin.cid = cid_number(n);
    pin.options.name = "pin " + std::to_string(n);
    pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
    pin.timestamp = clock.now();
    // As the real pinset gives it back.
    pinset.pins[pin.cid] = api::decode_pin(pin.cid, api::encode_pin(pin)).value();
  }

  const PeerId id;
  config::Config config;
  ManualClock clock;
  test::FakePinset pinset;
  test::FakeTracker tracker;
  Kubo kubo;
  monitor::Monitor monitor;
  p2p::FakeHost host;
  RemotePeers remote;
  cluster::Cluster cluster;
  Server server;
};

struct Pair {
  explicit Pair(ServerOptions server_options = {}, ClientOptions client_options = {})
      : wire(context.get_executor()),
        a(wire, 0, server_options, client_options),
        b(wire, 1, server_options, client_options) {
    wire.connect(a.host, b.host);
    a.hears(b);
    b.hears(a);
    a.server.start();
    b.server.start();
  }

  template <typename T>
  T await(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context, std::move(task), [&out](std::exception_ptr error, T value) {
      REQUIRE(!error);
      out.emplace(std::move(value));
    });
    REQUIRE(until([&out] { return out.has_value(); }));
    return std::move(*out);
  }
  // Runs the context until `done`, at most a minute.
  template <typename F>
  bool until(F done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      context.restart();
      context.run_one_for(std::chrono::seconds(1));
    }
    return done();
  }
  bool quiet(const Peer& peer) {
    return until([&peer] { return peer.server.stats().running == 0; });
  }

  asio::io_context context;
  p2p::FakeWire wire;
  Peer a;
  Peer b;
};

// A stream from one peer to another for what no client of ours would say.
inline Task<p2p::StreamPtr> open_raw(p2p::FakeHost* from, PeerId to, std::string protocol) {
  std::vector<std::string> protocols{std::move(protocol)};
  auto stream =
      co_await from->open_stream(std::move(to), std::move(protocols), std::chrono::seconds(5), {});
  co_return stream ? *stream : nullptr;
}

// All that the other side says until it closes, or "reset".
inline Task<Bytes> read_all(p2p::StreamPtr stream) {
  Bytes out;
  while (true) {
    auto piece = co_await stream->read_some(64 << 10);
    if (!piece) {
      co_return Bytes("reset");
    }
    if (piece->empty()) {
      co_return out;
    }
    out += *piece;
  }
}

enum class Half { StaysOpen, Closes };

// Says `request` and gives all that is answered. As a Go peer: a unary call keeps its half open
// until it has its answer.
inline Task<Bytes> ask_raw(p2p::FakeHost* from, PeerId to, Bytes request, Half half) {
  auto stream = co_await open_raw(from, std::move(to), std::string(api::kRpcProtocol));
  auto sent = co_await stream->write(std::move(request));
  if (!sent) {
    co_return Bytes("reset");
  }
  if (half == Half::Closes) {
    (void)co_await stream->close_write();
  }
  Bytes out = co_await read_all(stream);
  (void)co_await stream->close_write();
  co_return out;
}

}  // namespace ica::rpc
