#include <doctest/doctest.h>

#include "agent/cluster/core.h"
#include "tests/unit/cluster/fakes.h"

namespace ica::cluster {
namespace {

using test::cid_number;
using test::FakePeer;
using test::peer_id;

api::Pin pin_of(int n) {
  api::Pin pin;
  pin.cid = cid_number(n);
  return pin;
}

TEST_CASE("a pin gets the defaults, a time and no allocations when it goes everywhere") {
  FakePeer peer;
  auto pin = peer.await(peer.use_cases().pin(pin_of(1)));
  REQUIRE(pin);
  CHECK(pin->options.replication_factor_min == -1);
  CHECK(pin->options.replication_factor_max == -1);
  CHECK(pin->allocations.present);
  CHECK(pin->allocations.items.empty());
  CHECK(pin->timestamp == peer.clock.now());
  CHECK(peer.pinset.pins.contains(cid_number(1)));

  peer.clock.advance(std::chrono::seconds(5));
  auto again = peer.await(peer.use_cases().pin(pin_of(1)));
  REQUIRE(again);
  CHECK(again->timestamp == peer.clock.now());
}

TEST_CASE("refusals have the reference's words and change nothing") {
  FakePeer peer;
  auto refused = [&peer](api::Pin pin) {
    auto outcome = peer.await(peer.use_cases().pin(std::move(pin)));
    REQUIRE(!outcome);
    return outcome.error().message();
  };
  api::Pin pin = pin_of(1);
  pin.options.replication_factor_min = 3;
  pin.options.replication_factor_max = 2;
  CHECK(refused(pin) == "cluster.replication_factor_min is larger than max");
  pin = pin_of(1);
  pin.options.expire_at = peer.clock.now().plus(-std::chrono::seconds(1));
  CHECK(refused(pin) == "pin.ExpireAt set before current time");
  pin = pin_of(1);
  pin.options.replication_factor_min = pin.options.replication_factor_max = 2;
  CHECK(refused(pin) ==
        "not enough peers to allocate CID. Needed at least: 2. Wanted at most: 2. Available "
        "candidates: 0. See logs for more info.");
  pin = pin_of(1);
  pin.options.pin_update = cid_number(2);
  CHECK(refused(pin) == kNotPinned);
  CHECK(peer.pinset.pins.empty());

  REQUIRE(peer.await(peer.use_cases().pin(pin_of(1))));
  pin = pin_of(1);
  pin.options.mode = api::PinMode::Direct;
  CHECK(refused(pin) ==
        "cannot repin a CID which is already pinned in recursive mode (new pin is pinned as "
        "direct). Unpin it first.");

  peer.config.cluster.follower_mode = true;
  CHECK(refused(pin_of(5)) == kFollower);
}

TEST_CASE("just after the start an allocation waits for the metrics of enough peers") {
  FakePeer peer;
  peer.settle = std::chrono::seconds(20);
  auto& cluster = peer.use_cases();
  api::Pin pin = pin_of(1);
  pin.options.replication_factor_min = pin.options.replication_factor_max = 1;
  asio::steady_timer later(peer.context, std::chrono::milliseconds(60));
  later.async_wait([&peer](const boost::system::error_code&) { peer.announce(0); });
  const auto done = peer.await(cluster.pin(pin));
  REQUIRE(done);
  CHECK(done->allocations.items == std::vector<PeerId>{peer_id(0)});
}

TEST_CASE("pin-update copies the stored pin") {
  FakePeer peer;
  peer.announce(0);
  api::Pin from = pin_of(1);
  from.options.name = "one";
  from.options.replication_factor_min = from.options.replication_factor_max = 1;
  REQUIRE(peer.await(peer.use_cases().pin(from)));
  api::Pin to = pin_of(2);
  to.options.pin_update = cid_number(1);
  to.options.metadata["ignored"] = "x";
  auto done = peer.await(peer.use_cases().pin(to));
  REQUIRE(done);
  CHECK(done->cid == cid_number(2));
  CHECK(done->options.name == "one");
  CHECK(done->options.metadata.empty());
  CHECK(done->options.pin_update == cid_number(1));
  CHECK(done->allocations.items == std::vector<PeerId>{peer_id(0)});
  CHECK(peer.pinset.pins.size() == 2);
}

TEST_CASE("unpin gives the stored pin back, then 404") {
  FakePeer peer;
  REQUIRE(peer.await(peer.use_cases().pin(pin_of(1))));
  auto removed = peer.await(peer.use_cases().unpin(cid_number(1), {}));
  REQUIRE(removed);
  CHECK(removed->cid == cid_number(1));
  auto again = peer.await(peer.use_cases().unpin(cid_number(1), {}));
  REQUIRE(!again);
  CHECK(again.error().code() == Code::NotFound);
  CHECK(again.error().message() == kNotPinned);
}

TEST_CASE("paths of one CID need no Kubo") {
  FakePeer peer;
  peer.kubo.names["/ipfs/" + cid_number(4).text() + "/a"] = cid_number(6);
  auto plain = peer.await(peer.use_cases().pin_path("/ipfs/" + cid_number(4).text(), {}, {}));
  REQUIRE(plain);
  CHECK(plain->cid == cid_number(4));
  api::PinOptions direct;
  direct.mode = api::PinMode::Direct;
  auto below =
      peer.await(peer.use_cases().pin_path("/ipfs/" + cid_number(4).text() + "/a", direct, {}));
  REQUIRE(below);
  CHECK(below->cid == cid_number(6));
  CHECK(below->max_depth == api::kMaxDepthDirect);
  CHECK(!peer.await(peer.use_cases().pin_path("/ipns/nowhere", {}, {})));
}

TEST_CASE("a sharded upload goes with its parts") {
  FakePeer peer;
  auto put = [&peer](int n, api::PinType type, int depth, int reference) {
    api::Pin pin = pin_of(n);
    pin.type = type;
    pin.max_depth = depth;
    pin.reference = cid_number(reference);
    pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
    REQUIRE(peer.await(peer.pinset.put(pin)));
  };
  put(10, api::PinType::Meta, 0, 11);
  put(11, api::PinType::ClusterDag, 0, 10);
  put(13, api::PinType::Shard, 1, 11);
  // {"0": link}
  Bytes block =
      "\xa1\x61"
      "0\xd8\x2a\x58";
  block.push_back(static_cast<char>(cid_number(13).bytes().size() + 1));
  block.push_back('\0');
  block += cid_number(13).bytes();
  peer.kubo.blocks[cid_number(11)] = block;

  auto shard = peer.await(peer.use_cases().unpin(cid_number(13), {}));
  CHECK(shard.error().message() == "cannot unpin a shard directly. Unpin content root CID instead");
  CHECK(!peer.await(peer.use_cases().unpin(cid_number(11), {})));
  auto local = peer.await(peer.use_cases().recover_local(cid_number(10), {}));
  REQUIRE(local);
  CHECK(local->peer_map.begin()->second.status == api::TrackerStatus::Sharded);
  REQUIRE(peer.await(peer.use_cases().unpin(cid_number(10), {})));
  CHECK(peer.pinset.pins.empty());
}

TEST_CASE("links of dag-cbor: damage is an error, never a crash") {
  CHECK(!cbor_links(""));
  CHECK(!cbor_links("\xa1"));
  CHECK(!cbor_links("\xbf\xff"));
  CHECK(!cbor_links(std::string(64, '\x81')));
  CHECK(!cbor_links("\xd8\x2a\x41\x01"));
  CHECK(!cbor_links("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"));
  CHECK(cbor_links("\x82\x01\x61"
                   "a")
            .value()
            .empty());
}

TEST_CASE("lists come in order, whole, and say when they cannot") {
  FakePeer peer;
  for (int i = 0; i < 1500; ++i) {
    REQUIRE(peer.await(peer.pinset.put(pin_of(i))));
  }
  auto all = peer.all(peer.use_cases().pins(~uint64_t{0}, {}));
  REQUIRE(all);
  CHECK(all->size() == 1500);
  CHECK(std::is_sorted(all->begin(), all->end(),
                       [](const api::Pin& a, const api::Pin& b) { return a.cid < b.cid; }));
  auto none = peer.all(peer.use_cases().pins(static_cast<uint64_t>(api::PinType::Meta), {}));
  REQUIRE(none);
  CHECK(none->empty());
  peer.pinset.fail_page_at = cid_number(1000);
  auto damaged = peer.all(peer.use_cases().pins(~uint64_t{0}, {}));
  REQUIRE(!damaged);
  CHECK(damaged.error().code() == Code::Corrupt);

  StopSource stop;
  auto stream = peer.use_cases().pins(~uint64_t{0}, stop.get_token());
  stop.request_stop();
  CHECK(!peer.all(std::move(stream)));
}

TEST_CASE("status of one CID, alone") {
  FakePeer peer;
  auto unknown = peer.await(peer.use_cases().status(cid_number(1), {}));
  REQUIRE(unknown);
  CHECK(unknown->allocations.present);
  CHECK(!unknown->origins.present);
  CHECK(unknown->created == peer.clock.now());
  CHECK(unknown->peer_map.begin()->second.status == api::TrackerStatus::Unpinned);
  CHECK(unknown->peer_map.begin()->second.peername.empty());
  auto local = peer.await(peer.use_cases().status_local(cid_number(1), {}));
  REQUIRE(local);
  CHECK(!local->allocations.present);
  CHECK(local->created.is_zero());
  CHECK(local->peer_map.begin()->second.peername == "peer0");

  REQUIRE(peer.await(peer.use_cases().pin(pin_of(1))));
  auto pinned = peer.await(peer.use_cases().status(cid_number(1), {}));
  CHECK(pinned->peer_map.begin()->second.status == api::TrackerStatus::Pinned);
  peer.tracker.kubo_error = "connection refused";
  auto blind = peer.await(peer.use_cases().status(cid_number(1), {}));
  REQUIRE(blind);
  CHECK(blind->peer_map.begin()->second.status == api::TrackerStatus::ClusterError);
  CHECK(blind->peer_map.begin()->second.error.find("connection refused") != std::string::npos);
}

TEST_CASE("lists of statuses while Kubo is away") {
  FakePeer peer;
  REQUIRE(peer.await(peer.use_cases().pin(pin_of(1))));
  REQUIRE(peer.await(peer.use_cases().pin(pin_of(3))));
  peer.tracker.local[cid_number(3)].status = api::TrackerStatus::PinError;
  CHECK(peer.all(peer.use_cases().status_all(0, {}))->size() == 2);
  peer.kubo.down = true;
  CHECK(peer.all(peer.use_cases().status_all(0, {}))->empty());
  auto local = peer.all(peer.use_cases().status_all_local(0, {}));
  REQUIRE(!local);
  CHECK(local.error().message() ==
        "could not get pinset from IPFS: Post "
        "\"http://127.0.0.1:22999/api/v0/pin/ls?stream=true&type=recursive\": dial tcp "
        "127.0.0.1:22999: connect: connection refused");
  const auto filter = api::parse_status_filter("error").value();
  CHECK(peer.all(peer.use_cases().status_all_local(filter, {}))->size() == 1);
}

TEST_CASE("recover queues again and reports only that") {
  FakePeer peer;
  for (int i = 0; i < 9; ++i) {
    REQUIRE(peer.await(peer.use_cases().pin(pin_of(i))));
  }
  CHECK(peer.all(peer.use_cases().recover_all({}))->empty());
  for (int i = 0; i < 7; ++i) {
    peer.tracker.local[cid_number(i)].status = api::TrackerStatus::PinError;
  }
  auto one = peer.await(peer.use_cases().recover(cid_number(0), {}));
  CHECK(one->peer_map.begin()->second.status == api::TrackerStatus::PinQueued);
  auto rest = peer.all(peer.use_cases().recover_all({}));
  REQUIRE(rest);
  CHECK(rest->size() == 6);
  auto missing = peer.await(peer.use_cases().recover_local(cid_number(100), {}));
  CHECK(missing.error().message() == kNotPinned);
  CHECK(
      peer.await(peer.use_cases().recover(cid_number(100), {}))->peer_map.begin()->second.status ==
      api::TrackerStatus::Unpinned);
}

TEST_CASE("a recover stream that is dropped half-way ends its producer") {
  FakePeer peer;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(peer.await(peer.use_cases().pin(pin_of(i))));
    peer.tracker.local[cid_number(i)].status = api::TrackerStatus::PinError;
  }
  auto stream = peer.use_cases().recover_all({});
  auto first = peer.await(stream->next());
  REQUIRE(first);
  CHECK(!first->empty());
  stream.reset();
  peer.context.restart();
  peer.context.run();  // returns only when nothing is left to run
}

TEST_CASE("several peers: allocated ones are asked, the rest is remote, failures show") {
  FakePeer peer;
  for (int i = 0; i < 3; ++i) {
    peer.announce(i, "default", 1000 + i);
  }
  api::Pin pin = pin_of(1);
  pin.options.replication_factor_min = pin.options.replication_factor_max = 2;
  auto done = peer.await(peer.use_cases().pin(pin));
  REQUIRE(done);
  CHECK(done->allocations.items == std::vector<PeerId>{peer_id(2), peer_id(1)});
  api::PinInfo info;
  info.cid = cid_number(1);
  info.peer = peer_id(1);
  info.info.status = api::TrackerStatus::Pinning;
  peer.peers.peers_by_id[peer_id(1)].infos[info.cid] = info;
  peer.peers.peers_by_id[peer_id(2)].error = "dial backoff";
  auto status = peer.await(peer.use_cases().status(cid_number(1), {}));
  REQUIRE(status);
  CHECK(status->peer_map.at(peer_id(0).text()).status == api::TrackerStatus::Remote);
  CHECK(status->peer_map.at(peer_id(1).text()).status == api::TrackerStatus::Pinning);
  CHECK(status->peer_map.at(peer_id(2).text()).status == api::TrackerStatus::ClusterError);
  CHECK(status->peer_map.at(peer_id(2).text()).peername == "peer2");
  CHECK(status->peer_map.at(peer_id(2).text()).error == "dial backoff");
  peer.peers.peers_by_id[peer_id(2)].code = Code::PermissionDenied;
  status = peer.await(peer.use_cases().status(cid_number(1), {}));
  CHECK(!status->peer_map.contains(peer_id(2).text()));
}

TEST_CASE("several peers: lists are merged per CID, in order, with a failed peer on each") {
  FakePeer peer;
  for (int i = 0; i < 3; ++i) {
    peer.announce(i);
  }
  for (int i = 0; i < 20; ++i) {
    REQUIRE(peer.await(peer.use_cases().pin(pin_of(i))));
    api::PinInfo info;
    info.cid = cid_number(i);
    info.peer = peer_id(1);
    info.info.status = i % 4 == 0 ? api::TrackerStatus::PinError : api::TrackerStatus::Pinned;
    peer.peers.peers_by_id[peer_id(1)].infos[info.cid] = info;
  }
  peer.peers.peers_by_id[peer_id(1)].sorted = false;
  peer.peers.peers_by_id[peer_id(2)].error = "gone";
  auto all = peer.all(peer.use_cases().status_all(0, {}));
  REQUIRE(all);
  REQUIRE(all->size() == 20);
  for (const auto& info : *all) {
    CHECK(info.peer_map.size() == 3);
    CHECK(info.peer_map.at(peer_id(2).text()).error == "gone");
  }
  const auto errors = static_cast<uint32_t>(api::TrackerStatus::PinError);
  auto bad = peer.all(peer.use_cases().status_all(errors, {}));
  REQUIRE(bad);
  CHECK(bad->size() == 5);
  CHECK(bad->front().peer_map.size() == 2);  // this peer's is pinned, so it has no entry
  CHECK(peer.all(peer.use_cases().recover_all({}))->size() == 5);
  peer.config.cluster.follower_mode = true;
  CHECK(peer.all(peer.use_cases().status_all(0, {}))->front().peer_map.size() == 1);
}

TEST_CASE("expired pins are removed by the closest trusted peer") {
  FakePeer peer;
  for (int i = 0; i < 40; ++i) {
    api::Pin pin = pin_of(i);
    pin.options.expire_at = peer.clock.now().plus(std::chrono::seconds(i < 30 ? 10 : 1000));
    REQUIRE(peer.await(peer.use_cases().pin(pin)));
  }
  peer.clock.advance(std::chrono::seconds(20));
  peer.announce(1);
  auto ours = peer.await(peer.use_cases().remove_expired({}));
  REQUIRE(ours);
  CHECK(*ours > 0);
  CHECK(*ours < 30);
  peer.config.crdt.trusted_peers.all = false;
  CHECK(*ours + peer.await(peer.use_cases().remove_expired({})).value() == 30);
  CHECK(peer.pinset.pins.size() == 10);
}

TEST_CASE("identity, graph and garbage of a lone peer") {
  FakePeer peer;
  auto id = peer.await(peer.use_cases().id({}));
  REQUIRE(id);
  CHECK(id->cluster_peers.items == std::vector<PeerId>{peer_id(0)});
  CHECK(id->ipfs.error.empty());
  auto graph = peer.await(peer.use_cases().connect_graph({}));
  REQUIRE(graph);
  CHECK(graph->cluster_links.at(peer_id(0).text()).empty());
  CHECK(graph->ipfs_links.begin()->second == std::vector<PeerId>{peer_id(2)});
  CHECK(peer.await(peer.use_cases().repo_gc({}))->peer_map.begin()->second.keys.size() == 2);
  peer.kubo.down = true;
  CHECK(!peer.await(peer.use_cases().id({}))->ipfs.error.empty());
  auto failed = peer.await(peer.use_cases().repo_gc({}));
  REQUIRE(failed);
  CHECK(!failed->peer_map.begin()->second.error.empty());
  CHECK(!peer.await(peer.use_cases().repo_gc_local({})));
  CHECK(peer.await(peer.use_cases().peer_add(peer_id(0), {})));
  CHECK(peer.use_cases().peer_remove(peer_id(1)).error().message() ==
        "crdt consensus component cannot remove peers");
}

}  // namespace
}  // namespace ica::cluster
