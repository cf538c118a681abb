#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/cluster/peer_group.h"
#include "agent/rest/exchange.h"
#include "common/base/json_writer.h"
#include "common/base/offload.h"

namespace ica::rest {

// The reference's streams: 204 when there is nothing, 500 when it fails before the first item, else
// 200 with one document a line and the trailer X-Stream-Error, empty after success.
class LineWriter {
 public:
  explicit LineWriter(Exchange& exchange) : exchange_(exchange) {}
  // Whole lines. Fails with Closed when the client is gone.
  Task<Status> write(std::string lines);
  // Ends the answer; `outcome` is that of whoever made the lines.
  Task<void> finish(Status outcome);

 private:
  http::Headers headers() const;
  Exchange& exchange_;
};

// The IDs as an array.
void write_peers(JsonWriter& json, std::string_view key, const std::vector<PeerId>& peers);

namespace detail {

template <typename T>
Task<Status> fetch(cluster::Stream<T>& items, Result<std::vector<T>>& out) {
  out = co_await items.next();
  co_return Status();
}

// What is written in one go: as much as the connection sends without copying it once more.
inline constexpr size_t kPiece = 64 << 10;
inline constexpr size_t kUsualLine = 1 << 10;

template <typename T>
Task<Status> write_items(LineWriter& writer, const std::vector<T>& items) {
  std::string lines;
  for (size_t i = 0; i < items.size(); ++i) {
    if (lines.empty()) {
      lines.reserve(std::min(kPiece + 2 * kUsualLine, (items.size() - i) * kUsualLine));
    }
    JsonWriter json(lines);
    write_json(json, items[i]);
    lines.push_back('\n');
    if (lines.size() >= kPiece) {
      Status written = co_await writer.write(std::exchange(lines, std::string()));
      if (!written) {
        co_return written;
      }
    }
  }
  if (lines.empty()) {
    co_return Status();
  }
  co_return co_await writer.write(std::move(lines));
}

}  // namespace detail

// While one batch is turned into text and written, the next one is read on a disk thread.
template <typename T>
Task<void> send_stream(Exchange& exchange, cluster::StreamPtr<T> items) {
  LineWriter writer(exchange);
  Result<std::vector<T>> batch = co_await items->next();
  while (batch && !batch->empty()) {
    const std::vector<T> current = std::move(*batch);
    std::vector<Task<Status>> tasks;
    tasks.push_back(detail::fetch(*items, batch));
    tasks.push_back(detail::write_items(writer, current));
    const std::vector<Status> done = co_await gather(std::move(tasks));
    if (!done[1]) {
      co_return;  // nobody reads any more
    }
  }
  Status outcome;
  if (!batch) {
    outcome = fail(std::move(batch.error()));
  }
  co_await writer.finish(std::move(outcome));
}

}  // namespace ica::rest
