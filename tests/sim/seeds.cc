#include "tests/sim/seeds.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <fmt/format.h>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/log.h"
#include "tests/sim/check.h"

namespace ica::sim {
namespace {

struct Settings {
  uint64_t first = 1;
  uint64_t seeds = 2000;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
};

bool parse(int argc, char** argv, Settings& settings) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    uint64_t number = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    if (read.ec != std::errc() || read.ptr != value.data() + value.size()) {
      return false;
    }
    if (name == "--seeds") {
      settings.seeds = number;
    } else if (name == "--seed") {
      settings.first = number;
    } else if (name == "--jobs") {
      settings.jobs = static_cast<unsigned>(std::clamp<uint64_t>(number, 1, 1024));
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int run_seeds(int argc, char** argv, const char* name, const std::function<void(uint64_t)>& run,
              const std::function<bool(uint64_t)>& summary) {
  Settings settings;
  if (!parse(argc, argv, settings)) {
    fmt::print(stderr, "usage: {} [--seeds N] [--seed FIRST] [--jobs N]\n", name);
    return 2;
  }
  must(log_set_levels("off"), "log levels");
  std::atomic<uint64_t> next{settings.first};
  std::atomic<uint64_t> failed{UINT64_MAX};
  std::mutex mutex;
  std::string why;
  const auto work = [&] {
    for (;;) {
      const uint64_t seed = next++;
      if (seed >= settings.first + settings.seeds || failed != UINT64_MAX) {
        return;
      }
      try {
        run(seed);
      } catch (const Violation& violation) {
        const std::lock_guard lock(mutex);
        if (seed < failed) {
          failed = seed;
          why = violation.what();
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < settings.jobs; ++i) {
    threads.emplace_back(work);
  }
  for (auto& thread : threads) {
    thread.join();
  }
  if (failed != UINT64_MAX) {
    fmt::print("seed {} failed: {}\n", failed.load(), why);
    return 1;
  }
  return summary(settings.seeds) ? 0 : 1;
}

}  // namespace ica::sim
