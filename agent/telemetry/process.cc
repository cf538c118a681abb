#include "agent/telemetry/process.h"

#include <dirent.h>
#include <malloc.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/file.h"

namespace ica::telemetry {
namespace {

constexpr size_t kMaxProcFile = 64 << 10;

// Field `number` (1 is the first) of /proc/self/stat, counted behind the name in parentheses, which
// may hold blanks.
uint64_t stat_field(const std::string& stat, int number) {
  size_t at = stat.rfind(')');
  if (at == std::string::npos) {
    return 0;
  }
  ++at;
  for (int i = 3; i <= number; ++i) {
    at = stat.find_first_not_of(' ', at);
    if (at == std::string::npos) {
      return 0;
    }
    if (i == number) {
      return std::strtoull(stat.c_str() + at, nullptr, 10);
    }
    at = stat.find(' ', at);
    if (at == std::string::npos) {
      return 0;
    }
  }
  return 0;
}

double boot_time() {
  const auto stat = read_file("/proc/stat", 1 << 20);
  const size_t at = stat ? stat->find("\nbtime ") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtod(stat->c_str() + at + 7, nullptr);
}

uint64_t count_open_files() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) {
    return 0;
  }
  uint64_t count = 0;
  while (const dirent* entry = readdir(folder)) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  closedir(folder);
  return count > 0 ? count - 1 : 0;  // without the folder itself
}

}  // namespace

ProcessValues read_process() {
  ProcessValues values;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (const auto stat = read_file("/proc/self/stat", kMaxProcFile)) {
    values.cpu_seconds = static_cast<double>(stat_field(*stat, 14) + stat_field(*stat, 15)) / ticks;
    values.threads = stat_field(*stat, 20);
    static const double kBoot = boot_time();
    values.start_time_seconds = kBoot + static_cast<double>(stat_field(*stat, 22)) / ticks;
    values.virtual_bytes = stat_field(*stat, 23);
    values.resident_bytes = stat_field(*stat, 24) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  values.open_files = count_open_files();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    values.max_files = limit.rlim_cur;
  }
  const auto heap = mallinfo2();
  values.allocated_bytes = heap.uordblks + heap.hblkhd;
  return values;
}

}  // namespace ica::telemetry
