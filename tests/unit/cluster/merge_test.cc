#include "agent/cluster/merge.h"

#include <doctest/doctest.h>
#include <random>

#include "tests/unit/cluster/fakes.h"

namespace ica::cluster {
namespace {

using test::cid_number;
using test::ListStream;
using test::peer_id;

api::PinInfo info_of(int n, int peer) {
  api::PinInfo info;
  info.cid = cid_number(n);
  info.name = "pin \"" + std::to_string(n) + "\"";
  info.peer = peer_id(peer);
  info.allocations.present = true;
  info.created = Time::from_unix(1'700'000'000 + n, 5);
  info.metadata["k"] = "v";
  info.info.status = api::TrackerStatus::PinError;
  info.info.error = "e" + std::to_string(n);
  info.info.attempt_count = n;
  return info;
}

api::PinInfoShort failed(const PeerId&, const std::string& error) {
  api::PinInfoShort out;
  out.status = api::TrackerStatus::ClusterError;
  out.error = error;
  return out;
}

TEST_CASE("sorting keeps everything, in memory and through files") {
  test::FakePeer peer;
  std::vector<api::PinInfo> items;
  items.reserve(3000);
  for (int i = 0; i < 3000; ++i) {
    items.push_back(info_of(i, 1));
  }
  std::shuffle(items.begin(), items.end(), std::mt19937(7));
  for (const size_t run : {size_t{100}, size_t{2999}, size_t{100000}}) {
    CAPTURE(run);
    auto out = peer.all(sorted(std::make_unique<ListStream<api::PinInfo>>(items, 64), run));
    REQUIRE(out);
    REQUIRE(out->size() == items.size());
    for (size_t i = 1; i < out->size(); ++i) {
      REQUIRE((*out)[i - 1].cid < (*out)[i].cid);
    }
    const auto found = std::find_if(out->begin(), out->end(), [](const api::PinInfo& info) {
      return info.cid == cid_number(77);
    });
    REQUIRE(found != out->end());
    CHECK(api::to_json(api::to_global(*found)) == api::to_json(api::to_global(info_of(77, 1))));
  }
}

TEST_CASE("a peer that fails on the way is shown from there on") {
  test::FakePeer peer;
  std::vector<api::PinInfo> own;
  for (int i = 0; i < 1000; i += 2) {
    own.push_back(info_of(i, 0));
  }
  std::sort(own.begin(), own.end(),
            [](const api::PinInfo& a, const api::PinInfo& b) { return a.cid < b.cid; });
  std::vector<api::PinInfo> other(own.begin(), own.begin() + 10);
  for (auto& info : other) {
    info.peer = peer_id(1);
  }
  std::vector<MergeSource> sources(2);
  sources[0].peer = peer_id(0);
  sources[0].own = true;
  sources[0].infos = {std::make_unique<ListStream<api::PinInfo>>(own), true};
  sources[1].peer = peer_id(1);
  sources[1].infos = {std::make_unique<ListStream<api::PinInfo>>(
                          other, 2, Error(Code::Unavailable, "stream reset")),
                      true};
  auto out = peer.all(merge(std::move(sources), failed));
  REQUIRE(out);
  REQUIRE(out->size() == own.size());
  CHECK((*out)[9].peer_map.at(peer_id(1).text()).error == "e" + std::to_string(18));
  for (size_t i = 10; i < out->size(); ++i) {
    REQUIRE((*out)[i].peer_map.at(peer_id(1).text()).error == "stream reset");
  }
}

TEST_CASE("damage of this peer's own data fails the answer") {
  test::FakePeer peer;
  std::vector<MergeSource> sources(1);
  sources[0].peer = peer_id(0);
  sources[0].own = true;
  sources[0].infos = {
      std::make_unique<ListStream<api::PinInfo>>(std::vector<api::PinInfo>{info_of(0, 0)}, 1,
                                                 Error(Code::Corrupt, "damaged")),
      true};
  auto out = peer.all(merge(std::move(sources), failed));
  REQUIRE(!out);
  CHECK(out.error().message() == "damaged");
}

}  // namespace
}  // namespace ica::cluster
