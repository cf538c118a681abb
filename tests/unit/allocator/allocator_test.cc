#include "agent/allocator/allocator.h"

#include <doctest/doctest.h>

namespace ica::allocator {
namespace {

PeerId peer(int n) {
  // An Ed25519 peer ID is a short identity multihash; any bytes will do here.
  Bytes bytes = std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(31, 'p');
  bytes.push_back(static_cast<char>('a' + n));
  return PeerId::from_bytes(bytes).value();
}

const std::vector<std::string> kBy = {"tag:group", "freespace"};

void add(MetricsSet& set, int n, const std::string& group, int64_t space) {
  api::Metric metric;
  metric.peer = peer(n);
  metric.valid = true;
  metric.name = "freespace";
  metric.value = std::to_string(space);
  metric.weight = space;
  set["freespace"].push_back(metric);
  metric.name = "tag:group";
  metric.value = group;
  metric.weight = 0;
  metric.partitionable = true;
  set["tag:group"].push_back(metric);
}

Request replicas(int min, int max) {
  Request request;
  request.replication_min = min;
  request.replication_max = max;
  return request;
}

using Peers = std::vector<PeerId>;

TEST_CASE("order: heaviest part first, then in turns over the parts") {
  MetricsSet set;
  add(set, 0, "a", 10);
  add(set, 1, "a", 30);
  add(set, 2, "b", 5);
  add(set, 3, "b", 20);
  add(set, 4, "c", 100);
  // c weighs 100, a 40, b 25; inside each the freest first
  CHECK(order(set, kBy) == Peers{peer(4), peer(1), peer(3), peer(0), peer(2)});
  CHECK(order(set, {"freespace"}) == Peers{peer(4), peer(1), peer(3), peer(0), peer(2)});
}

TEST_CASE("order: equal values that are not partitionable stay apart") {
  MetricsSet set;
  for (int i = 0; i < 3; ++i) {
    add(set, i, "default", 100);
  }
  add(set, 3, "default", 200);
  CHECK(order(set, kBy).front() == peer(3));
}

TEST_CASE("a peer that lacks a metric is no candidate") {
  MetricsSet set;
  add(set, 0, "a", 10);
  add(set, 1, "a", 20);
  set["freespace"].pop_back();
  CHECK(allocate(replicas(1, 2), set, kBy).value() == Peers{peer(0)});
  Request wished = replicas(1, 1);
  wished.priority = {peer(1)};
  CHECK(allocate(wished, set, kBy).value() == Peers{peer(0)});
  set.erase("tag:group");
  CHECK(!allocate(replicas(1, 1), set, kBy));
}

TEST_CASE("everywhere stores nothing") {
  CHECK(allocate(replicas(-1, -1), {}, kBy).value().empty());
}

TEST_CASE("current allocations") {
  MetricsSet set;
  for (int i = 0; i < 5; ++i) {
    add(set, i, "a", 10 * (i + 1));
  }
  Request request = replicas(2, 3);
  request.current = {peer(1), peer(0)};
  SUBCASE("are kept while they are enough, whatever the user wishes") {
    request.priority = {peer(4)};
    CHECK(allocate(request, set, kBy).value() == Peers{peer(1), peer(0)});
  }
  SUBCASE("are dropped above the maximum") {
    request.replication_min = request.replication_max = 1;
    CHECK(allocate(request, set, kBy).value() == Peers{peer(1)});
  }
  SUBCASE("are filled up to the maximum when one is gone") {
    std::erase_if(set["freespace"], [](const auto& m) { return m.peer == peer(1); });
    CHECK(allocate(request, set, kBy).value() == Peers{peer(0), peer(4), peer(3)});
  }
  SUBCASE("of excluded peers do not count") {
    request.excluded = {peer(0), peer(4)};
    CHECK(allocate(request, set, kBy).value() == Peers{peer(1), peer(3), peer(2)});
  }
}

TEST_CASE("too few") {
  MetricsSet set;
  add(set, 0, "a", 10);
  auto failed = allocate(replicas(2, 4), set, kBy);
  REQUIRE(!failed);
  CHECK(failed.error().message() ==
        "not enough peers to allocate CID. Needed at least: 2. Wanted at most: 4. Available "
        "candidates: 1. See logs for more info.");
  Request trusted = replicas(1, 1);
  trusted.eligible = [](const PeerId&) { return false; };
  CHECK(!allocate(trusted, set, kBy));
}

TEST_CASE("allocate: a lower maximum holds for peers that are away too") {
  MetricsSet set;
  add(set, 0, "a", 10);
  add(set, 1, "b", 10);
  Request request = replicas(2, 2);
  request.current = {peer(0), peer(1), peer(2)};
  CHECK(allocate(request, set, kBy).value() == Peers{peer(0), peer(1)});
  request.replication_max = 3;
  CHECK(allocate(request, set, kBy).value() == request.current);
}

}  // namespace
}  // namespace ica::allocator
