#include <algorithm>
#include <random>
#include <set>

#include "agent/allocator/allocator.h"
#include "tests/unit/vectors.h"

// What must hold for any input, and that the reference chooses the same.
namespace ica::allocator {
namespace {

PeerId peer(int n) {
  Bytes bytes = std::string("\x00\x24\x08\x01\x12\x20", 6) + std::string(31, 'p');
  bytes.push_back(static_cast<char>('a' + n));
  return PeerId::from_bytes(bytes).value();
}

using Peers = std::vector<PeerId>;
using Random = std::mt19937_64;

int below(Random& random, int n) {
  return static_cast<int>(random() % static_cast<uint64_t>(n));
}

api::Metric metric_of(const std::string& name, int n) {
  api::Metric metric;
  metric.name = name;
  metric.peer = peer(n);
  metric.valid = true;
  return metric;
}

api::Metric tag(const std::string& name, int n, const std::string& value) {
  api::Metric metric = metric_of(name, n);
  metric.value = value;
  metric.partitionable = true;
  return metric;
}

api::Metric weight(const std::string& name, int n, int64_t value) {
  api::Metric metric = metric_of(name, n);
  metric.value = std::to_string(value);
  metric.weight = value;
  return metric;
}

TEST_CASE("the reference's balanced allocator orders 2,000 random peer sets the same") {
  const auto cases = test::load_vectors("allocations.json");
  REQUIRE(cases.size() == 2000);
  size_t priorities = 0;
  for (const auto& c : cases) {
    const std::vector<std::string> by = c["by"];
    std::set<int> wished;
    if (c.contains("priority")) {
      wished = c["priority"].get<std::set<int>>();
      ++priorities;
    }
    MetricsSet candidates;
    MetricsSet priority;
    const auto into = [&](const std::string& name, int n) -> std::vector<api::Metric>& {
      return (wished.contains(n) ? priority : candidates)[name];
    };
    if (c.contains("tags")) {
      for (const auto& [name, values] : c["tags"].items()) {
        for (int n = 0; n < static_cast<int>(values.size()); ++n) {
          into(name, n).push_back(tag(name, n, values[n].get<std::string>()));
        }
      }
    }
    for (const auto& [name, values] : c["weights"].items()) {
      for (int n = 0; n < static_cast<int>(values.size()); ++n) {
        into(name, n).push_back(weight(name, n, values[n].get<int64_t>()));
      }
    }
    Peers got = order(priority, by);
    for (PeerId& p : order(candidates, by)) {
      got.push_back(std::move(p));
    }
    Peers want;
    for (const int n : c["order"].get<std::vector<int>>()) {
      want.push_back(peer(n));
    }
    CHECK_MESSAGE(got == want, c.dump());
  }
  CHECK(priorities > 300);
}

struct World {
  MetricsSet metrics;
  int peers = 0;
  std::vector<std::string> group;  // by peer
};

World random_world(Random& random) {
  World world;
  world.peers = 1 + below(random, 9);
  const int groups = 1 + below(random, 3);
  for (int n = 0; n < world.peers; ++n) {
    world.group.push_back("g" + std::to_string(below(random, groups)));
    world.metrics["tag:group"].push_back(tag("tag:group", n, world.group.back()));
    if (below(random, 8) != 0) {
      world.metrics["freespace"].push_back(weight("freespace", n, below(random, 5) * 100 + 1));
    }
  }
  return world;
}

Peers random_peers(Random& random, int of, int at_most) {
  std::set<PeerId> out;
  for (int i = below(random, at_most + 1); i > 0; --i) {
    out.insert(peer(below(random, of)));
  }
  return {out.begin(), out.end()};
}

const std::vector<std::string> kBy = {"tag:group", "freespace"};

TEST_CASE("any input: no peer twice, factors respected, nobody who is not allowed") {
  Random random(6);
  size_t placed = 0;
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    const World world = random_world(random);
    Request request;
    request.replication_min = 1 + below(random, 4);
    request.replication_max = request.replication_min + below(random, 3);
    request.current = random_peers(random, world.peers + 1, 4);
    request.priority = random_peers(random, world.peers + 1, 2);
    request.excluded = random_peers(random, world.peers, 2);
    const int barred = below(random, 12);
    request.eligible = [barred](const PeerId& p) { return p != peer(barred); };
    const std::string cid = std::to_string(round / 2);
    request.spread = round % 2 == 0 ? std::string_view() : cid;
    const auto complete = order(world.metrics, kBy);
    const auto allowed = [&](const PeerId& p) {
      return std::find(complete.begin(), complete.end(), p) != complete.end() &&
             std::find(request.excluded.begin(), request.excluded.end(), p) ==
                 request.excluded.end() &&
             p != peer(barred);
    };
    const auto result = allocate(request, world.metrics, kBy);
    REQUIRE(allocate(request, world.metrics, kBy).has_value() == result.has_value());
    const auto free_for = std::count_if(complete.begin(), complete.end(), allowed);
    if (!result) {
      ++refused;
      CHECK(free_for < request.replication_min);
      continue;
    }
    ++placed;
    CHECK(*allocate(request, world.metrics, kBy) == *result);
    CHECK(std::set<PeerId>(result->begin(), result->end()).size() == result->size());
    if (*result == request.current) {
      continue;  // enough as it is; what is wrong with it is left alone
    }
    CHECK(std::all_of(result->begin(), result->end(), allowed));
    CHECK(static_cast<int>(result->size()) >= request.replication_min);
    CHECK(static_cast<int>(result->size()) <= request.replication_max);
    // As many as wished for, when there are so many.
    CHECK(static_cast<int>(result->size()) ==
          std::min<int>(request.replication_max, static_cast<int>(free_for)));
    // Stable: what is allocated now stays so.
    request.current = *result;
    CHECK(*allocate(request, world.metrics, kBy) == *result);
  }
  CHECK(placed > 5000);
  CHECK(refused > 500);
}

TEST_CASE("balance: copies spread over groups, and pins over peers that are alike") {
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    // Free space goes down with every pin, as it does in a cluster.
    const int peers = 4 + below(random, 4);
    const int groups = 2 + below(random, 2);
    std::vector<int64_t> space(static_cast<size_t>(peers), 1'000'000);
    std::vector<int> held(static_cast<size_t>(peers), 0);
    for (int pin = 0; pin < 60; ++pin) {
      MetricsSet metrics;
      for (int n = 0; n < peers; ++n) {
        metrics["tag:group"].push_back(tag("tag:group", n, std::to_string(n % groups)));
        metrics["freespace"].push_back(weight("freespace", n, space[static_cast<size_t>(n)]));
      }
      Request request;
      request.replication_min = request.replication_max = 2;
      const auto chosen = allocate(request, metrics, kBy);
      REQUIRE(chosen);
      std::set<int> used_groups;
      for (int n = 0; n < peers; ++n) {
        if (std::find(chosen->begin(), chosen->end(), peer(n)) != chosen->end()) {
          used_groups.insert(n % groups);
          space[static_cast<size_t>(n)] -= 1000;
          ++held[static_cast<size_t>(n)];
        }
      }
      CHECK(used_groups.size() == 2);
    }
    for (int group = 0; group < groups; ++group) {
      int least = 1000;
      int most = 0;
      for (int n = group; n < peers; n += groups) {
        least = std::min(least, held[static_cast<size_t>(n)]);
        most = std::max(most, held[static_cast<size_t>(n)]);
      }
      CHECK(most - least <= 2);
    }
  }
}

TEST_CASE("balance: between two metrics, pins spread over peers and groups of equal weight") {
  constexpr int kPins = 3000;
  MetricsSet metrics;
  for (int n = 0; n < 6; ++n) {
    metrics["tag:group"].push_back(tag("tag:group", n, "g" + std::to_string(n % 3)));
    metrics["freespace"].push_back(weight("freespace", n, 1'000'000));
  }
  std::map<PeerId, int> held;
  std::map<Peers, int> pairs;
  Request request;
  request.replication_min = request.replication_max = 2;
  for (int pin = 0; pin < kPins; ++pin) {
    const std::string cid = "cid " + std::to_string(pin);
    request.spread = cid;
    const auto chosen = allocate(request, metrics, kBy);
    REQUIRE(chosen);
    CHECK(*allocate(request, metrics, kBy) == *chosen);
    for (const PeerId& p : *chosen) {
      ++held[p];
    }
    ++pairs[*chosen];
  }
  REQUIRE(held.size() == 6);
  for (const auto& [p, count] : held) {
    CHECK(count > kPins * 2 / 6 * 85 / 100);
    CHECK(count < kPins * 2 / 6 * 115 / 100);
  }
  // Two different groups in either order, each with any of its peers.
  CHECK(pairs.size() == 24);
  // Weight comes first.
  metrics["freespace"][4].weight += 1;
  for (int pin = 0; pin < 50; ++pin) {
    const std::string cid = "cid " + std::to_string(pin);
    CHECK(order(metrics, kBy, cid).front() == peer(4));
  }
}

TEST_CASE("a current peer that takes no new pins still counts where that is asked for") {
  MetricsSet metrics;
  for (int n = 0; n < 4; ++n) {
    metrics["tag:group"].push_back(tag("tag:group", n, "a"));
    if (n != 0) {
      metrics["freespace"].push_back(weight("freespace", n, 100 + n));
    }
  }
  Request request;
  request.replication_min = request.replication_max = 3;
  request.current = {peer(0), peer(1), peer(5)};
  CHECK(*allocate(request, metrics, kBy) == Peers{peer(1), peer(3), peer(2)});
  request.holds = [](const PeerId& p) { return p != peer(5); };
  CHECK(*allocate(request, metrics, kBy) == Peers{peer(0), peer(1), peer(3)});
}

}  // namespace
}  // namespace ica::allocator
