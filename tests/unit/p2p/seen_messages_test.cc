#include "agent/p2p/seen_messages.h"

#include <doctest/doctest.h>

using namespace ica;
using namespace ica::p2p;
using namespace std::chrono_literals;

namespace {

Bytes id_of(uint64_t n) {
  return "an author and " + std::to_string(n);
}

}  // namespace

TEST_CASE("IDs are known for half an hour and hardly longer") {
  SeenMessages seen(30min, 200'000, 1);
  for (const auto start : {0min, 3min, 4min, 17min, 200min}) {
    CAPTURE(start.count());
    const SteadyTime begin(start);
    const auto number = static_cast<uint64_t>(start.count());
    CHECK_FALSE(seen.contains(id_of(number)));
    CHECK(seen.insert(id_of(number), begin));
    CHECK_FALSE(seen.insert(id_of(number), begin + 1s));
    CHECK(seen.contains(id_of(number)));
  }
  const SteadyTime begin(200min);
  CHECK_FALSE(seen.contains(id_of(17)));
  CHECK_FALSE(seen.insert(id_of(200), begin + 30min));
  CHECK(seen.insert(id_of(1), begin + 35min));
  CHECK_FALSE(seen.contains(id_of(200)));
  CHECK(seen.insert(id_of(200), begin + 35min));
  CHECK(seen.size() == 2);
}

TEST_CASE("a steady stream of IDs: each is known for its time, and all are forgotten in the end") {
  constexpr uint64_t kEach = 7;  // seconds
  SeenMessages seen(30min, 200'000, 2);
  for (uint64_t n = 0; n < 3000; ++n) {
    const SteadyTime now(std::chrono::seconds(n * kEach));
    REQUIRE(seen.insert(id_of(n), now));
    const uint64_t kept = 1800 / kEach;
    if (n >= kept) {
      REQUIRE(seen.contains(id_of(n - kept)));
    }
    if (const uint64_t gone = (1800 + 300) / kEach + 1; n >= gone) {
      REQUIRE_FALSE(seen.contains(id_of(n - gone)));
    }
    REQUIRE(seen.size() <= (1800 + 300) / kEach + 2);
  }
}

TEST_CASE("a flood takes the place of the oldest, and no more memory than it may") {
  SeenMessages seen(30min, 6000, 3);
  const SteadyTime now{};
  for (uint64_t n = 0; n < 20'000; ++n) {
    REQUIRE(seen.insert(id_of(n), now));
    REQUIRE(seen.size() <= 6000);
    REQUIRE(seen.contains(id_of(n)));
  }
  CHECK(seen.contains(id_of(20'000 - 4000)));
  CHECK_FALSE(seen.contains(id_of(1)));
}

TEST_CASE("a hundred thousand IDs are told apart") {
  SeenMessages one(30min, 200'000, 4);
  const SteadyTime now{};
  for (uint64_t n = 0; n < 100'000; ++n) {
    REQUIRE(one.insert(id_of(n), now));
  }
  CHECK_FALSE(one.contains(id_of(100'000)));
}
