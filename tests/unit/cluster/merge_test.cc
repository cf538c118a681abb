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
  sources[0].infos = {std::make_unique<ListStream<api::PinInfo>>(own), true, nullptr};
  sources[1].peer = peer_id(1);
  sources[1].infos = {std::make_unique<ListStream<api::PinInfo>>(
                          other, 2, Error(Code::Unavailable, "stream reset")),
                      true, nullptr};
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
      true, nullptr};
  auto out = peer.all(merge(std::move(sources), failed));
  REQUIRE(!out);
  CHECK(out.error().message() == "damaged");
}

// What another peer would send in brief.
struct Brief {
  Bytes cid;
  Bytes pin;
  api::TrackerStatus status = api::TrackerStatus::Pinned;
};

BriefBatch batch_of(const std::vector<Brief>& briefs) {
  api::PinInfoShort about;
  about.peername = "brief";
  Bytes data;
  for (const Brief& brief : briefs) {
    data += brief.cid + brief.pin;
  }
  BriefBatch batch;
  batch.peer = std::make_shared<const api::PinInfoShort>(about);
  batch.data = std::make_shared<const Bytes>(std::move(data));
  BytesView rest = *batch.data;
  for (const Brief& brief : briefs) {
    BriefStatus item;
    item.cid = rest.substr(0, brief.cid.size());
    rest.remove_prefix(brief.cid.size());
    item.pin = rest.substr(0, brief.pin.size());
    rest.remove_prefix(brief.pin.size());
    item.status = brief.status;
    item.timestamp = Time::from_unix(1'800'000'000);
    item.attempt_count = 4;
    batch.items.push_back(item);
  }
  return batch;
}

Brief brief_of(int n) {
  api::Pin pin;
  pin.options.name = "stored " + std::to_string(n);
  pin.timestamp = Time::from_unix(1'700'000'000);
  return {cid_number(n).bytes(), api::encode_pin(pin)};
}

// Our own statuses of `own`, and a peer that sends these batches.
Result<std::vector<api::GlobalPinInfo>> merge_with(const std::vector<int>& own,
                                                   std::vector<BriefBatch> batches) {
  test::FakePeer peer;
  std::vector<api::PinInfo> infos;
  for (const int n : own) {
    infos.push_back(info_of(n, 0));
  }
  std::vector<MergeSource> sources(2);
  sources[0].peer = peer_id(1);
  sources[0].infos.briefs = std::make_unique<ListStream<BriefBatch>>(std::move(batches), 1);
  sources[1].peer = peer_id(0);
  sources[1].own = true;
  sources[1].infos.items = std::make_unique<ListStream<api::PinInfo>>(std::move(infos), 2);
  sources[1].infos.sorted = true;
  return peer.all(merge(std::move(sources), failed));
}

// Some numbers in the order of their CIDs.
std::vector<int> in_order(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end(),
            [](int a, int b) { return cid_number(a) < cid_number(b); });
  return numbers;
}

TEST_CASE("an answer in brief brings the pin only where nobody else told it") {
  const std::vector<int> n = in_order({1, 2, 3, 4, 5});
  const auto out = merge_with({n[0], n[2], n[3]}, {batch_of({brief_of(n[0]), brief_of(n[1])}),
                                                   batch_of({brief_of(n[2]), brief_of(n[4])})})
                       .value();
  REQUIRE(out.size() == 5);
  const std::string brief = peer_id(1).text();
  for (size_t i = 0; i < out.size(); ++i) {
    CAPTURE(i);
    const bool ours = i == 0 || i == 2 || i == 3;
    CHECK(out[i].cid == cid_number(n[i]));
    CHECK(out[i].name == (ours ? info_of(n[i], 0).name : "stored " + std::to_string(n[i])));
    CHECK(out[i].created.unix_seconds() ==
          (ours ? info_of(n[i], 0).created.unix_seconds() : 1'700'000'000));
    CHECK(out[i].peer_map.contains(peer_id(0).text()) == ours);
    REQUIRE(out[i].peer_map.contains(brief) == (i != 3));
    if (i != 3) {
      CHECK(out[i].peer_map.at(brief).peername == "brief");
      CHECK(out[i].peer_map.at(brief).status == api::TrackerStatus::Pinned);
      CHECK(out[i].peer_map.at(brief).attempt_count == 4);
    }
  }
}

TEST_CASE("an unpin in brief is of its own time") {
  const auto out =
      merge_with({}, {batch_of({{cid_number(1).bytes(), "", api::TrackerStatus::Unpinning}})})
          .value();
  REQUIRE(out.size() == 1);
  CHECK(out[0].created == Time::from_unix(1'800'000'000));
  CHECK(out[0].allocations.present);
}

TEST_CASE("an answer in brief that is no good ends its peer's part") {
  const std::vector<int> n = in_order({1, 2, 3});
  const Brief bad_pin{cid_number(n[1]).bytes(), "\xff"};
  const Brief bad_cid{cid_number(n[1]).bytes() + "x", brief_of(1).pin};
  for (const Brief& bad : {bad_pin, bad_cid}) {
    // Nobody else has that CID: nothing is shown of it, and the rest says what happened.
    auto out = merge_with({n[0], n[2]}, {batch_of({brief_of(n[0]), bad, brief_of(n[2])})}).value();
    REQUIRE(out.size() == 2);
    CHECK(out[0].peer_map.at(peer_id(1).text()).error.empty());
    CHECK(out[1].cid == cid_number(n[2]));
    CHECK(!out[1].peer_map.at(peer_id(1).text()).error.empty());
    CHECK(out[1].peer_map.at(peer_id(1).text()).status == api::TrackerStatus::ClusterError);
  }
  // Where we have the pin ourselves, nothing of it is read.
  const auto out = merge_with({n[1]}, {batch_of({bad_pin})}).value();
  REQUIRE(out.size() == 1);
  CHECK(out[0].peer_map.at(peer_id(1).text()).status == api::TrackerStatus::Pinned);
}

}  // namespace
}  // namespace ica::cluster
