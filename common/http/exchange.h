#pragma once

#include "common/http/connection.h"

namespace ica::http {

inline constexpr size_t kMaxPending = 16 * 1024;  // answer bytes that may wait without a suspension
inline constexpr size_t kMaxAhead = 16 * 1024;    // bytes taken in ahead of a handler
inline constexpr size_t kMaxBodyPiece = 256 * 1024;  // of a body, when a handler asks for it
inline constexpr uint64_t kMaxDiscard = 256 * 1024;  // unread body taken in to keep the connection
inline constexpr size_t kYieldEvery =
    256 * 1024;  // a fast reader must not keep a thread for itself
inline constexpr std::chrono::nanoseconds kLinger = std::chrono::milliseconds(500);
inline constexpr std::chrono::nanoseconds kDiscardTime = std::chrono::seconds(5);

inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// "Date: ...\r\n", made once a second and thread.
std::string_view date_line();
void append_field(std::string& out, std::string_view name, std::string_view value);

// A request being answered.
struct Connection::Exchange {
  Request request;
  Framing framing;
  ChunkDecoder chunks;
  StopSource stop;
  uint64_t body_left = 0;  // with a Content-Length
  uint64_t body_taken = 0;
  size_t since_yield = 0;
  int64_t answer_deadline = kNever;  // write_timeout
  std::optional<uint64_t>
      answer_left;  // of a streamed answer with the handler's own Content-Length
  bool body_done = false;
  bool continue_due = false;  // the client waits for "100 Continue"
  bool read_timed_out = false;
  bool read_waits = false;
  bool read_cancelled = false;
  bool keep_alive = false;
  bool begun = false;
  bool ended = false;
  bool chunked_answer = false;
  bool no_body = false;  // HEAD, 204, 304
};

}  // namespace ica::http
