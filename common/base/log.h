#pragma once

#include <chrono>
#include <fmt/format.h>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace ica {

enum class LogLevel { Debug, Info, Warn, Error, Off };
enum class LogFormat { Text, Json };

struct LogOptions {
  LogFormat format = LogFormat::Text;
  LogLevel level = LogLevel::Info;
  std::string file;  // empty: standard error
};

// Sets the process's log up; may be called again to change it. Before the first call, lines of
// level Info and above go to standard error as text. Thread-safety: any thread, as everything here.
Status log_setup(const LogOptions& options);

// "debug", "info", "warn"/"warning", "error", "critical"/"fatal"/"off".
Result<LogLevel> parse_log_level(std::string_view text);

// Levels as IPFS_CLUSTER_LOG_LEVEL has them: "info", or "info,restapi:debug,crdt:error" with the
// facilities of the reference (cluster, restapi, pintracker, ipfshttp, monitor, crdt, pubsubmon,
// ...).
Status log_set_levels(std::string_view spec);

bool log_enabled(std::string_view component, LogLevel level);
void log_write(std::string_view component, LogLevel level, std::string_view message);
void log_flush();

template <typename... Args>
void log_debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(component, LogLevel::Debug)) {
    log_write(component, LogLevel::Debug, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void log_info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(component, LogLevel::Info)) {
    log_write(component, LogLevel::Info, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void log_warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(component, LogLevel::Warn)) {
    log_write(component, LogLevel::Warn, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void log_error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(component, LogLevel::Error)) {
    log_write(component, LogLevel::Error, fmt::format(format, std::forward<Args>(args)...));
  }
}

// For lines that another machine can cause. Lets `burst` lines through per `period` and key, then
// one line that says how many were held back. Keys are forgotten when idle; at most 1,024 are held.
//   static LogLimiter limiter;
//   if (limiter.allow(peer)) { log_warn(...); }
class LogLimiter {
 public:
  explicit LogLimiter(int burst = 5, std::chrono::seconds period = std::chrono::seconds(60));
  ~LogLimiter();
  LogLimiter(const LogLimiter&) = delete;
  LogLimiter& operator=(const LogLimiter&) = delete;
  // True when the line may be written. `held_back`, when given, receives the number of lines
  // refused for this key since the last allowed one.
  bool allow(std::string_view key, uint64_t* held_back = nullptr);

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace ica
