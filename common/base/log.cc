#include "common/base/log.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unordered_map>

#include "common/base/ascii.h"
#include "common/base/json_writer.h"
#include "common/base/time.h"
#include "common/base/trace.h"

namespace ica {

namespace {

struct LogState {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format = LogFormat::Text;
  std::map<std::string, LogLevel, std::less<>> levels;  // per component
  std::atomic<LogLevel> level{LogLevel::Info};          // of components without their own
  std::atomic<LogLevel> lowest{LogLevel::Info};         // fast refusal of debug lines
};

LogState& state() {
  static LogState* s = new LogState;  // never destroyed: threads may log while the process exits
  return *s;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "DEBUG";
    case LogLevel::Info:
      return "INFO";
    case LogLevel::Warn:
      return "WARN";
    case LogLevel::Error:
      return "ERROR";
    case LogLevel::Off:
      return "OFF";
  }
  return "INFO";
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("ica", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

void ensure_logger(LogState& s) {
  if (!s.logger) {
    s.logger = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
}

// Control characters would let a remote forge lines.
std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

void update_lowest(LogState& s) {
  LogLevel lowest = s.level.load();
  for (const auto& [name, level] : s.levels) {
    lowest = std::min(lowest, level);
  }
  s.lowest.store(lowest);
}

}  // namespace

Status log_setup(const LogOptions& options) {
  spdlog::sink_ptr sink;
  try {
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
    }
  } catch (const spdlog::spdlog_ex& e) {
    return fail(Code::Io, "opening the log file {}: {}", options.file, e.what());
  }
  LogState& s = state();
  const std::lock_guard lock(s.mutex);
  s.logger = make_logger(std::move(sink));
  s.format = options.format;
  s.level.store(options.level);
  update_lowest(s);
  return {};
}

Result<LogLevel> parse_log_level(std::string_view text) {
  const std::string lower = ascii_lower(text);
  if (lower == "debug") {
    return LogLevel::Debug;
  }
  if (lower == "info") {
    return LogLevel::Info;
  }
  if (lower == "warn" || lower == "warning") {
    return LogLevel::Warn;
  }
  if (lower == "error") {
    return LogLevel::Error;
  }
  if (lower == "critical" || lower == "fatal" || lower == "panic" || lower == "dpanic" ||
      lower == "off") {
    return LogLevel::Off;
  }
  return fail(Code::InvalidArgument,
              "unknown log level \"{}\": one of debug, info, warn, error, critical", text);
}

Status log_set_levels(std::string_view spec) {
  std::map<std::string, LogLevel, std::less<>> levels;
  LogLevel all = state().level.load();
  while (!spec.empty()) {
    const size_t comma = spec.find(',');
    const std::string_view entry = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view() : spec.substr(comma + 1);
    if (entry.empty()) {
      continue;
    }
    const size_t colon = entry.find(':');
    TRY(const LogLevel level,
        parse_log_level(colon == std::string_view::npos ? entry : entry.substr(colon + 1)));
    if (colon == std::string_view::npos || entry.substr(0, colon) == "*") {
      all = level;
    } else {
      levels[std::string(entry.substr(0, colon))] = level;
    }
  }
  LogState& s = state();
  const std::lock_guard lock(s.mutex);
  s.levels = std::move(levels);
  s.level.store(all);
  update_lowest(s);
  return {};
}

bool log_enabled(std::string_view component, LogLevel level) {
  LogState& s = state();
  if (level < s.lowest.load(std::memory_order_relaxed)) {
    return false;
  }
  const std::lock_guard lock(s.mutex);
  const auto it = s.levels.find(component);
  return level >= (it == s.levels.end() ? s.level.load() : it->second);
}

void log_write(std::string_view component, LogLevel level, std::string_view message) {
  LogState& s = state();
  std::string line;
  {
    const std::lock_guard lock(s.mutex);
    ensure_logger(s);
    if (s.format == LogFormat::Json) {
      JsonWriter json(line);
      json.begin_object();
      json.key("time").string(Time::now().rfc3339());
      json.key("level").string(level_name(level));
      json.key("component").string(component);
      json.key("message").string(message);
      if (const auto context = trace::current(); context.valid()) {
        json.key("trace_id").string(trace::hex(context.trace_id));
        json.key("span_id").string(trace::hex(context.span_id));
      }
      json.end_object();
    }
  }
  if (line.empty()) {
    const Time now = Time::now();
    line = now.truncated_to_seconds().rfc3339();
    line.pop_back();
    line += fmt::format(".{:03}Z  {:<5} {:<10} {}", now.nanoseconds() / 1'000'000,
                        level_name(level), component, one_line(message));
  }
  s.logger->log(to_spdlog(level), "{}", line);
}

void log_flush() {
  LogState& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.logger) {
    s.logger->flush();
  }
}

struct LogLimiter::Impl {
  struct Window {
    std::chrono::steady_clock::time_point start;
    int written = 0;
    uint64_t refused = 0;
  };
  static constexpr size_t kMaxKeys = 1024;
  int burst;
  std::chrono::seconds period;
  std::mutex mutex;
  std::unordered_map<std::string, Window> windows;
};

LogLimiter::LogLimiter(int burst, std::chrono::seconds period) : impl_(new Impl) {
  impl_->burst = burst;
  impl_->period = period;
}

LogLimiter::~LogLimiter() {
  delete impl_;
}

bool LogLimiter::allow(std::string_view key, uint64_t* held_back) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(impl_->mutex);
  if (impl_->windows.size() >= Impl::kMaxKeys) {
    std::erase_if(impl_->windows,
                  [&](const auto& entry) { return now - entry.second.start > impl_->period; });
    if (impl_->windows.size() >= Impl::kMaxKeys) {
      return false;
    }
  }
  Impl::Window& window = impl_->windows[std::string(key)];
  if (now - window.start > impl_->period) {
    window.start = now;
    window.written = 0;
  }
  if (window.written >= impl_->burst) {
    ++window.refused;
    return false;
  }
  ++window.written;
  if (held_back != nullptr) {
    *held_back = window.refused;
  }
  window.refused = 0;
  return true;
}

}  // namespace ica
