// Peers that keep copies where they should be, under every trouble that we could think of, one run
// a seed.
//   orchestration_sim [--seeds N] [--seed FIRST] [--jobs N]
// Exit code 1 and the seed when a rule of tests/sim/orchestration/referee.h is broken; --seeds 1
// with that seed runs the same again.
#include <mutex>

#include "tests/sim/orchestration/run.h"
#include "tests/sim/seeds.h"

int main(int argc, char** argv) {
  using namespace ica::sim::orchestration;
  std::mutex mutex;
  Counters total;
  return ica::sim::run_seeds(
      argc, argv, "orchestration_sim",
      [&](uint64_t seed) {
        Run run(seed);
        run.run();
        const std::lock_guard lock(mutex);
        for (const auto& [name, field] : kCounters) {
          total.*field += run.counters().*field;
        }
      },
      [&](uint64_t seeds) {
        fmt::print("{} seeds, every pin kept:", seeds);
        bool all = true;
        for (const auto& [name, field] : kCounters) {
          fmt::print(" {} {}", total.*field, name);
          all = all && total.*field > 0;
        }
        fmt::print("\n");
        // Something that never happened was not tested; a few seeds do not reach everything.
        return all || seeds < 500;
      });
}
