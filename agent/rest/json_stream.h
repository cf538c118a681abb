#pragma once

#include <string>

#include "agent/cluster/peer_group.h"
#include "agent/rest/exchange.h"
#include "common/base/json_writer.h"

namespace ica::rest {

// Makes lines of JSON, a batch at a time.
class LineSource {
 public:
  virtual ~LineSource() = default;
  // Appends the next batch of lines to `out`; nothing appended means the end. May have appended
  // lines and failed.
  virtual Task<Status> next(std::string& out) = 0;
};

template <typename T>
class JsonLines final : public LineSource {
 public:
  explicit JsonLines(cluster::StreamPtr<T> items) : items_(std::move(items)) {}

  Task<Status> next(std::string& out) override {
    CO_TRY(auto batch, co_await items_->next());
    for (const T& item : batch) {
      JsonWriter json(out);
      write_json(json, item);
      out.push_back('\n');
    }
    co_return Status();
  }

 private:
  cluster::StreamPtr<T> items_;
};

// The reference's streams: 204 when there is nothing, 500 when it fails before the first item, else
// 200 with one document a line and the trailer X-Stream-Error, empty after success.
Task<void> send_lines(Exchange& exchange, LineSource& lines);

template <typename T>
Task<void> send_stream(Exchange& exchange, cluster::StreamPtr<T> items) {
  JsonLines<T> lines(std::move(items));
  co_await send_lines(exchange, lines);
}

}  // namespace ica::rest
