#pragma once

#include "agent/cmd/crdt_topic.h"
#include "tests/unit/crdt/support.h"
#include "tests/unit/p2p/fake_network.h"

namespace ica::cmd::test {

using namespace std::chrono_literals;
using crdt::test::ScratchDir;

inline PrivateKey key_of(int n) {
  Bytes seed(32, '\x03');
  seed[0] = static_cast<char>(n);
  return PrivateKey::from_seed(seed);
}

// A peer as the daemon wires it, on a network in memory.
struct WiredPeer {
  WiredPeer(p2p::FakeWire& wire, const std::filesystem::path& path, int n)
      : disk(path),
        key(key_of(n)),
        trust(std::make_shared<cluster::Trust>(key.peer_id(), config::TrustedPeers{})),
        host(wire, key.peer_id()),
        pinset(*disk.replica, wire.executor()),
        topic("test", *disk.replica, trust),
        gossip(host, key, wire.executor(), clock, {}),
        bitswap(host, [this](const Cid& cid) { return topic.read(cid); }, wire.executor(),
                wire.executor(), {}),
        driver(*disk.replica, topic, topic, clock, wire.executor(), wire.executor(), {}, 1) {
    topic.join(host, gossip, bitswap, driver);
    pinset.set_sink(topic);
    gossip.start();
    bitswap.start();
    driver.start();
  }

  static Task<void> put_pin(crdt::LocalPinset* pinset, api::Pin pin) {
    const Status put = co_await pinset->put(std::move(pin));
    CHECK(put.has_value());
  }
  void put(p2p::FakeWire& wire, uint64_t n) {
    spawn(wire.executor(), put_pin(&pinset, crdt::test::test_pin(n)), "pin");
  }

  crdt::test::Peer disk;
  SystemClock clock;
  PrivateKey key;
  std::shared_ptr<cluster::Trust> trust;
  p2p::FakeHost host;
  crdt::LocalPinset pinset;
  CrdtTopic topic;
  p2p::Gossip gossip;
  p2p::Bitswap bitswap;
  crdt::SyncDriver driver;
};

// Peers on one network; only one thread, which until() runs.
template <typename Peer = WiredPeer>
struct World {
  explicit World(int count) {
    for (int i = 0; i < count; ++i) {
      peers.push_back(std::make_unique<Peer>(wire, scratch.path() / std::to_string(i), i + 1));
    }
  }
  ~World() {
    bool done = false;
    for (auto& peer : peers) {
      peer->driver.stop();
    }
    spawn(context.get_executor(), stop(this, &done), "stop");
    until([&] { return done; });
  }
  static Task<void> stop(World* self, bool* done) {
    for (auto& peer : self->peers) {
      co_await peer->gossip.stop();
      co_await peer->bitswap.stop();
    }
    *done = true;
  }
  template <typename F>
  bool until(F condition) {
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      context.restart();
      context.run_one_for(20ms);
    }
    return condition();
  }
  Peer& operator[](size_t i) { return *peers[i]; }

  ScratchDir scratch;
  asio::io_context context;
  p2p::FakeWire wire{context.get_executor()};
  std::vector<std::unique_ptr<Peer>> peers;
};

}  // namespace ica::cmd::test
