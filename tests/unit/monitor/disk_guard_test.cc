#include "agent/monitor/disk_guard.h"

#include <doctest/doctest.h>
#include <limits>

#include "agent/monitor/informer.h"

namespace ica::monitor {
namespace {

TEST_CASE("disk guard: full above the high mark, until it is below the low one") {
  ManualClock clock;
  DiskGuard guard(clock, {90, 80});
  CHECK(!guard.reading());
  CHECK(!guard.full());
  guard.update(890, 1000, std::nullopt);
  CHECK(!guard.full());
  CHECK(guard.reading()->free == 110);
  guard.update(900, 1000, std::nullopt);
  CHECK(guard.full());
  guard.update(850, 1000, std::nullopt);
  CHECK(guard.full());
  guard.update(799, 1000, std::nullopt);
  CHECK(!guard.full());
  guard.update(850, 1000, std::nullopt);
  CHECK(!guard.full());
}

TEST_CASE("disk guard: the worse of the limit and the file system") {
  ManualClock clock;
  DiskGuard guard(clock, {90, 80});
  guard.update(100, 1000, FileSystemSpace{10000, 50});
  CHECK(guard.full());
  CHECK(guard.reading()->free == 50);
  guard.update(100, 1000, FileSystemSpace{10000, 5000});
  CHECK(!guard.full());
  CHECK(guard.reading()->free == 900);
}

TEST_CASE("disk guard: nothing wraps around") {
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  ManualClock clock;
  DiskGuard guard(clock, {95, 90});
  guard.update(1001, 1000, std::nullopt);  // Kubo's limit is no hard one
  CHECK(guard.reading()->free == 0);
  CHECK(guard.full());
  guard.update(kMost, kMost, FileSystemSpace{0, kMost});
  CHECK(guard.reading()->free == 0);
  guard.update(0, kMost, std::nullopt);
  CHECK(guard.reading()->free == kMost);
  CHECK(freespace_metric(0, kMost).weight == std::numeric_limits<int64_t>::max());
  CHECK(reposize_metric(kMost).weight < 0);
  guard.update(5, 0, std::nullopt);
  CHECK(guard.reading()->free == 0);
}

TEST_CASE("disk guard: switched off, and the age of a reading") {
  ManualClock clock;
  DiskGuard guard(clock, {0, 0});
  guard.update(1000, 1000, std::nullopt);
  CHECK(!guard.full());
  clock.advance(std::chrono::seconds(40));
  CHECK(guard.reading()->age == std::chrono::seconds(40));
}

TEST_CASE("disk guard: space of a path") {
  CHECK(!space_of(""));
  CHECK(!space_of("/no/such/path"));
  const auto space = space_of("/");
  REQUIRE(space);
  CHECK(space->total > 0);
  CHECK(space->available <= space->total);
}

}  // namespace
}  // namespace ica::monitor
