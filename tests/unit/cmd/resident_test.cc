#include "agent/cmd/resident.h"

#include <doctest/doctest.h>
#include <memory>
#include <vector>

namespace ica::cmd {
namespace {

// The sanitizers have a heap of their own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("what is freed between what stays goes back to the system") {
  constexpr size_t kBlock = 1 << 10;
  constexpr size_t kBlocks = 20'000;
  constexpr size_t kKept = 64;  // one of so many
  std::vector<std::unique_ptr<char[]>> blocks;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(std::make_unique<char[]>(kBlock));  // zeroed, so resident
  }
  PageKeeper keeper;
  CHECK(keeper.release_after_burst());  // the first time
  const size_t before = freed_resident_bytes();
  for (size_t i = 0; i < kBlocks; ++i) {
    if (i % kKept != 0) {
      blocks[i].reset();
    }
  }
  const size_t freed = freed_resident_bytes();
  CHECK(freed >= before + kBlock * kBlocks / 2);
  CHECK(keeper.release_after_burst());
  CHECK(freed_resident_bytes() <= before + kBlock * kBlocks / 4);
  CHECK(!keeper.release_after_burst());
}
#endif

}  // namespace
}  // namespace ica::cmd
