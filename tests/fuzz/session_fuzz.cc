// One whole session: a peer with all that it runs on 9096, and a neighbour who knows the cluster's
// secret, has shaken hands and identified itself, and from then on does what the input says.
// Whatever that is, everything ends when it should, and a neighbour who is not trusted has changed
// nothing.
#include <array>
#include <deque>
#include <filesystem>
#include <unistd.h>

#include "agent/cmd/compaction.h"
#include "agent/cmd/crdt_topic.h"
#include "agent/cmd/metric_topic.h"
#include "agent/cmd/pinset_protocol.h"
#include "agent/crdt/delta.h"
#include "agent/crdt/replica.h"
#include "agent/p2p/bitswap_message.h"
#include "agent/p2p/frames.h"
#include "agent/p2p/gossip_rpc.h"
#include "agent/p2p/host.h"
#include "agent/p2p/identify.h"
#include "agent/p2p/multistream.h"
#include "agent/p2p/upgrade.h"
#include "agent/rpc/frames.h"
#include "agent/rpc/methods.h"
#include "agent/rpc/server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sim/memory_store.h"
#include "tests/sim/values.h"
#include "tests/unit/cluster/fakes.h"
#include "tests/unit/p2p/memory_channel.h"

using namespace ica;
using namespace ica::p2p;

namespace {

constexpr std::string_view kMeshsub = "/meshsub/1.1.0";
constexpr std::string_view kBitswap = "/ipfs/bitswap/1.2.0";
constexpr std::array<std::string_view, 11> kProtocols = {kMeshsub,
                                                         kBitswap,
                                                         api::kRpcProtocol,
                                                         rpc::kOwnProtocol,
                                                         kIdentifyProtocol,
                                                         kIdentifyPushProtocol,
                                                         kPingProtocol,
                                                         cmd::PinsetProtocol::kHistory,
                                                         "/meshsub/1.0.0",
                                                         cmd::PinsetProtocol::kState,
                                                         cmd::Compaction::kProtocol};
constexpr std::string_view kCluster = "fuzzed";
constexpr size_t kMaxActions = 200;

PrivateKey key_of(char seed) {
  return PrivateKey::from_seed(Bytes(32, seed));
}

// Where the short history of a compaction is written.
std::filesystem::path scratch() {
  return std::filesystem::temp_directory_path() / ("ica-session-fuzz-" + std::to_string(getpid()));
}

HostOptions host_options() {
  HostOptions options(key_of('t'));
  options.secrets.push_back(Bytes(32, 's'));
  options.reconnect = false;
  return options;
}

// The peer under test, all on one context.
struct Target {
  Target(asio::io_context& context, bool trusting)
      : net(context.get_executor()),
        trust(std::make_shared<cluster::Trust>(key_of('t').peer_id(), trusted(trusting))),
        replica(crdt::Replica::open(store).value()),
        host(net, host_options()),
        gossip(host, key_of('t'), net, parts.clock, {}),
        topic(kCluster, *replica, trust),
        bitswap(host, [this](const Cid& cid) { return topic.read(cid); }, net, net, {}),
        driver(*replica, topic, topic, parts.clock, net, net, {}, 1),
        pinset_protocol(host, *replica, net),
        pinset(*replica, net),
        history({.store = store,
                 .replica = *replica,
                 .pinset = pinset,
                 .driver = driver,
                 .state = net,
                 .disk = net,
                 .fresh = scratch()}),
        compaction({.network = host,
                    .pinsets = pinset_protocol,
                    .history = history,
                    .replica = *replica,
                    .trust = trust,
                    .clock = parts.clock,
                    .known_peers = [] { return std::vector<PeerId>(); },
                    .launch = [this](Task<void> task,
                                     const char* what) { spawn(net, std::move(task), what); },
                    .stop = stopping.get_token(),
                    .left_behind = [](const crdt::Epoch&, const std::vector<Cid>&) {},
                    .disk = net}),
        metrics(parts.config, host.self(), parts.monitor, parts.clock, net) {
    parts.config.crdt.trusted_peers = trusted(trusting);
    ICA_ASSERT(replica->write({{crdt::pack_key("/A"), "one"}}).has_value());
    cluster.emplace(cluster::Parts{host.self(), parts.config, parts.clock, parts.pinset,
                                   parts.tracker, parts.kubo, parts.monitor, parts.peers,
                                   parts.importer, net});
    server.emplace(host, *cluster, parts.kubo);
    topic.join(host, gossip, bitswap, driver);
    metrics.join(gossip);
    pinset_protocol.serve();
    driver.on_newer_history(
        [this](const crdt::Epoch& theirs) { compaction.on_newer_history(theirs); });
    compaction.serve();
    driver.set_history(pinset_protocol);
    gossip.start();
    bitswap.start();
    server->start();
    ICA_ASSERT(host.start().has_value());
    driver.start();
  }

  static config::TrustedPeers trusted(bool all) {
    config::TrustedPeers out;
    out.all = all;
    return out;
  }

  static Task<void> stop(Target* self, bool* done) {
    self->stopping.request_stop();
    self->metrics.stop();
    self->driver.stop();
    co_await self->server->stop();
    co_await self->gossip.stop();
    co_await self->bitswap.stop();
    co_await self->host.stop();
    *done = true;
  }

  const Executor net;
  test::FakePeer parts;  // its own context stays unused
  std::shared_ptr<cluster::Trust> trust;
  sim::MemoryStore store;
  std::unique_ptr<crdt::Replica> replica;
  Host host;
  Gossip gossip;
  cmd::CrdtTopic topic;
  Bitswap bitswap;
  crdt::SyncDriver driver;
  cmd::PinsetProtocol pinset_protocol;
  StopSource stopping;
  crdt::LocalPinset pinset;
  cmd::HistorySwitch history;
  cmd::Compaction compaction;
  cmd::MetricTopic metrics;
  std::optional<cluster::Cluster> cluster;
  std::optional<rpc::Server> server;
};

// What is left of the input.
struct Script {
  BytesView left;

  uint8_t byte() {
    const auto out = left.empty() ? uint8_t{0} : static_cast<uint8_t>(left[0]);
    left.remove_prefix(left.empty() ? 0 : 1);
    return out;
  }
  Bytes piece() {
    const size_t size = byte() * 256U + byte();
    Bytes out(left.substr(0, size));
    left.remove_prefix(out.size());
    return out;
  }
};

// The neighbour: a well-behaved connection whose streams say anything.
struct Neighbour {
  explicit Neighbour(BytesView input) : key(key_of('n')), script{input} {}

  const PrivateKey key;
  Script script;
  std::shared_ptr<yamux::Session> session;
  std::vector<yamux::YamuxStreamPtr> streams;  // of either side
  std::vector<Bytes> blocks;                   // that were announced
  uint64_t sequence = 0;
  bool done = false;
};
using NeighbourPtr = std::shared_ptr<Neighbour>;

bool any(std::string_view /*protocol*/) {
  return true;
}

Task<void> drain(ChannelPtr channel) {
  while (true) {
    auto piece = co_await channel->read_some(64 << 10);
    if (!piece || piece->empty()) {
      co_return;
    }
  }
}

Bytes own_identify(const Neighbour& neighbour) {
  IdentifyMessage message;
  message.key = neighbour.key.public_key();
  message.protocols.assign(kProtocols.begin(), kProtocols.end());
  message.protocol_version = "ipfs/0.1.0";
  message.agent_version = "neighbour";
  return frame(encode_identify(message));
}

// A stream that the peer has opened.
Task<void> serve(NeighbourPtr self, yamux::YamuxStreamPtr stream) {
  auto channel = std::make_shared<BufferedChannel>(stream);
  const std::function<bool(std::string_view)> accept = any;
  auto protocol = co_await negotiate_inbound(*channel, accept);
  if (!protocol) {
    co_return;
  }
  if (*protocol == kIdentifyProtocol) {
    auto written = co_await stream->write(own_identify(*self));
    if (written) {
      (void)co_await stream->close_write();
    }
  }
  self->streams.push_back(stream);
  co_await drain(std::move(channel));
}

Task<yamux::YamuxStreamPtr> open(NeighbourPtr self, std::string protocol) {
  auto stream = self->session->open();
  if (!stream) {
    co_return nullptr;
  }
  auto channel = std::make_shared<BufferedChannel>(*stream);
  std::vector<std::string> protocols(1, std::move(protocol));
  auto agreed = co_await negotiate_outbound(*channel, std::move(protocols));
  if (!agreed) {
    co_return nullptr;
  }
  self->streams.push_back(*stream);
  spawn(co_await asio::this_coro::executor, drain(std::move(channel)), "fuzzing");
  co_return *stream;
}

Task<void> say(NeighbourPtr self, std::string protocol, Bytes bytes) {
  auto stream = co_await open(self, std::move(protocol));
  if (stream) {
    (void)co_await stream->write(std::move(bytes));
  }
}

GossipRpc signed_rpc(Neighbour& neighbour, std::string topic, Bytes data) {
  GossipMessage message;
  message.from = neighbour.key.peer_id().bytes();
  message.topic = topic;
  message.data = std::move(data);
  message.has_data = true;
  ++neighbour.sequence;
  for (int shift = 56; shift >= 0; shift -= 8) {
    message.seqno.push_back(static_cast<char>(neighbour.sequence >> shift & 0xff));
  }
  sign_message(message, neighbour.key);
  GossipRpc out;
  out.subscriptions.push_back({true, topic});
  out.graft.push_back(std::move(topic));
  out.messages.push_back(std::move(message));
  return out;
}

std::string topic_of(uint8_t number) {
  return number % 3 == 0 ? std::string(cmd::kMonitorTopic) : cmd::crdt_topic_name(kCluster);
}

Bytes bitswap_of(const std::vector<Bytes>& blocks, const Bytes& wanted) {
  BitswapMessage message;
  for (const Bytes& block : blocks) {
    message.blocks.push_back({Bytes("\x01\x70\x12\x20"), block});
  }
  if (auto cid = cid_of_block("\x01\x70\x12\x20", wanted)) {
    message.wants.push_back({*cid, 1, false, WantType::Block, true});
  }
  return frame(encode_bitswap(message));
}

Bytes call_of(uint8_t number, BytesView arguments) {
  const rpc::Method& method = rpc::methods()[number % rpc::methods().size()];
  Bytes out;
  rpc::write(out, rpc::ServiceId{std::string(method.service), std::string(method.name)});
  return out.append(arguments);
}

Task<void> act(NeighbourPtr self) {
  Script& script = self->script;
  const uint8_t kind = script.byte();
  const uint8_t which = script.byte();
  const yamux::YamuxStreamPtr stream =
      self->streams.empty() ? nullptr : self->streams[which % self->streams.size()];
  switch (kind % 8) {
    case 0: {
      auto opened = co_await open(self, std::string(kProtocols[which % kProtocols.size()]));
      if (opened) {
        (void)co_await opened->write(script.piece());
      }
      break;
    }
    case 1:
      if (stream) {
        (void)co_await stream->write(script.piece());
      }
      break;
    case 2:
      if (stream) {
        (void)co_await stream->close_write();
      }
      break;
    case 3:
      if (stream) {
        stream->reset();
      }
      break;
    case 4:
      co_await say(self, std::string(kMeshsub),
                   frame(encode_rpc(signed_rpc(*self, topic_of(which), script.piece()))));
      break;
    case 5: {
      Bytes block = script.piece();
      const Bytes announcement = crdt::encode_broadcast({crdt::block_digest(block)});
      self->blocks.push_back(std::move(block));
      co_await say(self, std::string(kMeshsub),
                   frame(encode_rpc(signed_rpc(*self, topic_of(1), announcement))));
      break;
    }
    case 6:
      co_await say(self, std::string(kBitswap), bitswap_of(self->blocks, script.piece()));
      break;
    default:
      co_await say(self, std::string(api::kRpcProtocol), call_of(which, script.piece()));
  }
}

// Lets the peer do what it has to.
Task<void> give_way() {
  for (int i = 0; i < 40; ++i) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
}

// With a connection that keeps to the rules.
Task<void> act_all(NeighbourPtr self, ChannelPtr channel) {
  const Executor executor = co_await asio::this_coro::executor;
  self->session = std::make_shared<yamux::Session>(std::move(channel), true, executor);
  self->session->start(
      [self, executor](yamux::YamuxStreamPtr stream) {
        spawn(executor, serve(self, std::move(stream)), "fuzzing");
      },
      [](const Error&) {});
  co_await give_way();
  for (size_t i = 0; i < kMaxActions && !self->script.left.empty(); ++i) {
    if (self->session->closed()) {
      break;
    }
    co_await act(self);
    co_await give_way();
  }
}

// With frames that keep to none.
Task<void> write_all(NeighbourPtr self, ChannelPtr channel) {
  spawn(co_await asio::this_coro::executor, drain(channel), "fuzzing");
  for (size_t i = 0; i < kMaxActions && !self->script.left.empty(); ++i) {
    auto written = co_await channel->write(self->script.piece());
    if (!written) {
      co_return;
    }
    co_await give_way();
  }
}

Task<void> live(NeighbourPtr self, ChannelPtr raw, bool orderly) {
  UpgradeOptions options(self->key);
  options.secrets.push_back(Bytes(32, 's'));
  const SteadyTime deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  auto upgraded = co_await upgrade(std::move(raw), std::move(options), deadline, {});
  ICA_ASSERT(upgraded.has_value());
  if (orderly) {
    co_await act_all(self, upgraded->channel);
  } else {
    co_await write_all(self, upgraded->channel);
  }
  co_await give_way();
  self->done = true;
}

// Until `done`, or nothing can happen any more but by a timer.
void run(asio::io_context& context, const bool& done) {
  for (int i = 0; i < 1'000'000 && !done && context.poll_one() > 0; ++i) {
  }
}

}  // namespace

ICA_FUZZ(BytesView input) {
  Script script{input};
  const uint8_t first = script.byte();
  const bool trusted = (first & 1) != 0;
  const bool orderly = (first & 6) != 0;
  asio::io_context context;
  Target target(context, trusted);
  const crdt::PinsetInfo before = target.replica->info();

  auto [near, far] = MemoryChannel::pair(context.get_executor());
  target.host.accept(near, Multiaddr::parse("/ip4/192.0.2.1/tcp/1").value());
  auto neighbour = std::make_shared<Neighbour>(script.left);
  spawn(context.get_executor(), live(neighbour, far, orderly), "fuzzing");
  run(context, neighbour->done);

  bool stopped = false;
  spawn(context.get_executor(), Target::stop(&target, &stopped), "fuzzing");
  if (neighbour->session) {
    neighbour->session->close();
  }
  far->close();
  neighbour->streams.clear();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (!stopped && std::chrono::steady_clock::now() < limit) {
    context.run_one_for(std::chrono::milliseconds(10));
  }
  ICA_ASSERT(stopped);
  ICA_ASSERT(target.server->stats().running == 0);
  ICA_ASSERT(target.host.connected_peers().empty());
  sim::check_totals(target.store, target.replica->info());
  if (!trusted) {
    ICA_ASSERT(target.replica->info().digest == before.digest);
    ICA_ASSERT(target.replica->info().blocks == before.blocks);
    ICA_ASSERT(target.parts.pinset.pins.empty());
  }
  neighbour->session.reset();
  // What was cancelled comes to its end.
  const bool never = false;
  run(context, never);
}
