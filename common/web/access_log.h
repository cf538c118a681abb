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

// Notes status and length of the answer that passes through.
class WatchedResponse final : public http::ResponseWriter {
 public:
  explicit WatchedResponse(http::ResponseWriter& inner) : inner_(inner) {}
  Task<Status> send(int status, http::Headers headers, Bytes body) override;
  Task<Status> begin(int status, http::Headers headers) override;
  Task<Status> write(Bytes piece) override;
  Task<Status> end(http::Headers trailers) override;
  bool begun() const override { return inner_.begun(); }
  void close_after() override { inner_.close_after(); }

  int status() const { return status_; }
  uint64_t bytes() const { return bytes_; }

 private:
  http::ResponseWriter& inner_;
  int status_ = 0;  // 0: no answer
  uint64_t bytes_ = 0;
};

}  // namespace ica::web
