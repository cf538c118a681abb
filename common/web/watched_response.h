#pragma once

#include <cstdint>

#include "common/http/server.h"

namespace ica::web {

// Notes status and length of the answer that passes through. Thread-safety: as the response inside.
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
