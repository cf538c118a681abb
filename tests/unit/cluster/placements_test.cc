#include "agent/cluster/placements.h"

#include <doctest/doctest.h>
#include <map>

#include "tests/unit/cluster/fakes.h"

namespace ica::cluster {
namespace {

using test::cid_number;
using test::FakePeer;
using test::peer_id;

constexpr int64_t kCopy = Placements::kGuessedBytes;

api::Metric space(int n, int64_t weight, int64_t expire) {
  api::Metric metric;
  metric.name = "freespace";
  metric.peer = peer_id(n);
  metric.weight = weight;
  metric.value = std::to_string(weight);
  metric.expire = expire;
  metric.valid = true;
  return metric;
}

int64_t left(const Placements& placements, api::Metric metric) {
  std::vector<api::Metric> list = {std::move(metric)};
  placements.discount(list);
  return list[0].weight;
}

TEST_CASE("placements: new copies count until the next metric of their peer") {
  Placements placements;
  const std::vector<api::Metric> told = {space(0, 10 * kCopy, 100), space(1, 10 * kCopy, 100),
                                         space(2, 10 * kCopy, 100)};
  placements.placed({}, {peer_id(0), peer_id(1)}, told);
  placements.placed({peer_id(0)}, {peer_id(0), peer_id(1)}, told);
  CHECK(left(placements, told[0]) == 9 * kCopy);
  CHECK(left(placements, told[1]) == 8 * kCopy);
  CHECK(left(placements, told[2]) == 10 * kCopy);
  // The next metric tells what is free now.
  CHECK(left(placements, space(1, 7 * kCopy, 130)) == 7 * kCopy);
  placements.placed({}, {peer_id(1)}, {space(1, 7 * kCopy, 130)});
  CHECK(left(placements, space(1, 7 * kCopy, 130)) == 6 * kCopy);
}

TEST_CASE("placements: a weight stays a weight") {
  Placements placements;
  const std::vector<api::Metric> told = {space(0, 3 * kCopy, 100), space(1, 0, 100)};
  for (int i = 0; i < 5; ++i) {
    placements.placed({}, {peer_id(0), peer_id(1)}, told);
  }
  CHECK(left(placements, told[0]) == 1);
  CHECK(left(placements, told[1]) == 0);
}

TEST_CASE("pins between two metrics go to peers in proportion to what they have more") {
  FakePeer b;
  b.announce(0, "default", 1000 * kCopy);
  b.announce(1, "default", 1300 * kCopy);
  b.announce(2, "default", 100 * kCopy);
  std::map<PeerId, int> held;
  for (int i = 0; i < 700; ++i) {
    api::Pin pin;
    pin.cid = cid_number(i);
    pin.options.replication_factor_min = pin.options.replication_factor_max = 1;
    const auto placed = b.await(b.use_cases().pin(pin));
    REQUIRE(placed);
    for (const PeerId& peer : placed->allocations.items) {
      ++held[peer];
    }
  }
  // 300 until the first two are level, then in turns.
  CHECK(held[peer_id(1)] == 500);
  CHECK(held[peer_id(0)] == 200);
  CHECK(!held.contains(peer_id(2)));
}

}  // namespace
}  // namespace ica::cluster
