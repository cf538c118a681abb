#pragma once

#include <cstdio>
#include <mutex>
#include <string>

#include "common/http/server.h"

namespace ica::rest {

// One line per answered request in the Common Log Format, into a file or, at debug level, the log.
// Thread-safety: any thread.
class AccessLog {
 public:
  ~AccessLog();
  AccessLog() = default;
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Appends to `path` from now on.
  Status open(const std::string& path);
  bool wanted() const;
  void write(const http::Request& request, int status, uint64_t bytes);

 private:
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
};

}  // namespace ica::rest
