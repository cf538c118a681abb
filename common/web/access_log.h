#pragma once

#include <cstdio>
#include <mutex>
#include <string>

#include "common/http/server.h"

namespace ica::web {

// One line per answered request in the Common Log Format, into a file or, at debug level, the log.
// Thread-safety: any thread.
class AccessLog {
 public:
  // `component`: of the lines that go to the log.
  explicit AccessLog(std::string component) : component_(std::move(component)) {}
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Appends to `path` from now on.
  Status open(const std::string& path);
  bool wanted() const;
  void write(const http::Request& request, int status, uint64_t bytes);

 private:
  const std::string component_;
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
};

}  // namespace ica::web
