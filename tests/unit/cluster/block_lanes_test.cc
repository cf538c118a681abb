#include "agent/cluster/block_lanes.h"

#include <doctest/doctest.h>

#include "agent/cluster/core.h"
#include "tests/unit/cluster/fakes.h"

namespace ica::cluster {
namespace {

using test::cid_number;
using test::FakePeer;
using test::peer_id;

constexpr size_t kBlock = 1000;

std::vector<ipfs::BlockToPut> blocks(int from, int count) {
  std::vector<ipfs::BlockToPut> out;
  for (int i = from; i < from + count; ++i) {
    out.push_back({cid_number(i), Bytes(kBlock, 'x')});
  }
  return out;
}

struct Fixture {
  explicit Fixture(std::vector<int> to, LaneLimits limits = {}) {
    std::vector<PeerId> peers;
    for (const int n : to) {
      peers.push_back(peer_id(n));
    }
    core = std::make_shared<Cluster::Core>(peer.parts());
    lanes = std::make_unique<BlockLanes>(core, peer.context.get_executor(), std::move(peers),
                                         limits, stop.get_token());
  }
  Status put(int from, int count) { return peer.await(lanes->put(blocks(from, count))); }
  Status finish() { return peer.await(lanes->finish()); }
  bool end() { return peer.await(ended(*lanes)); }
  static Task<bool> ended(BlockLanes& lanes) {
    co_await lanes.end();
    co_return true;
  }

  FakePeer peer;
  StopSource stop;
  std::shared_ptr<Cluster::Core> core;
  std::unique_ptr<BlockLanes> lanes;
};

TEST_CASE("every destination gets every block in order") {
  Fixture f({0, 1, 2});
  for (int i = 0; i < 10; ++i) {
    REQUIRE(f.put(i * 7, 7));
  }
  REQUIRE(f.finish());
  CHECK(f.peer.kubo.blocks.size() == 70);
  for (const int n : {1, 2}) {
    const auto& got = f.peer.peers.blocks_put[peer_id(n)];
    REQUIRE(got.size() == 70);
    for (int i = 0; i < 70; ++i) {
      CHECK(got[static_cast<size_t>(i)] == cid_number(i));
    }
  }
  CHECK(f.end());
}

TEST_CASE("a destination that fails is left behind, and when all fail it is an error") {
  Fixture f({1, 2});
  f.peer.peers.peers_by_id[peer_id(1)].error = "gone";
  REQUIRE(f.put(0, 5));
  REQUIRE(f.finish());
  CHECK(f.peer.peers.blocks_put[peer_id(1)].empty());
  CHECK(f.peer.peers.blocks_put[peer_id(2)].size() == 5);

  Fixture all({0, 1});
  all.peer.kubo.down = true;
  all.peer.peers.peers_by_id[peer_id(1)].error = "gone";
  Status put = all.put(0, 5);
  if (put) {
    put = all.finish();
  }
  REQUIRE(!put);
  CHECK(put.error().message() == "failed to put block on all destinations");
  CHECK_FALSE(all.put(5, 5));
  CHECK(all.end());
}

TEST_CASE("a slow destination is waited for, but not for ever") {
  LaneLimits limits;
  limits.buffer = 4 * kBlock;
  limits.patience = std::chrono::milliseconds(300);
  Fixture f({1, 2}, limits);
  f.peer.peers.peers_by_id[peer_id(1)].stuck = true;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(f.put(i * 2, 2));
  }
  CHECK(std::chrono::steady_clock::now() - begin >= limits.patience);
  REQUIRE(f.finish());
  CHECK(f.peer.peers.blocks_put[peer_id(2)].size() == 40);

  // Within the buffer it is found to be slow only at the end.
  Fixture late({1, 2}, limits);
  late.peer.peers.peers_by_id[peer_id(1)].stuck = true;
  REQUIRE(late.put(0, 2));
  REQUIRE(late.finish());
  CHECK(late.end());
}

TEST_CASE("cancelling ends a wait and everything that runs") {
  LaneLimits limits;
  limits.buffer = kBlock;
  Fixture f({1}, limits);
  f.peer.peers.peers_by_id[peer_id(1)].stuck = true;
  REQUIRE(f.put(0, 2));
  f.stop.request_stop();
  const Status put = f.put(2, 1);
  REQUIRE(!put);
  CHECK(put.error().code() == Code::Cancelled);
  CHECK(f.end());
}

TEST_CASE("without blocks there is nothing to finish") {
  Fixture f({0, 1});
  CHECK(f.finish());
  CHECK(f.end());
}

}  // namespace
}  // namespace ica::cluster
