#pragma once

#include <string>
#include <string_view>

#include "agent/ctl/api_client.h"
#include "agent/ctl/console.h"

namespace ica::ctl {

enum class Encoding { Text, Json };

// Exit codes of the reference.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;         // the request could not be made, bad arguments
inline constexpr int kExitAnsweredError = 2;  // the server answered with an error
inline constexpr int kExitNoTopic = 3;        // unknown command
inline constexpr int kExitAttention = 4;      // ours: `health` and `status --watch` found a problem
inline constexpr int kExitTimedOut = 62;      // a wait ran out
inline constexpr int kExitCancelled = 125;

// What every command works with. Thread-safety: none.
class Session {
 public:
  // The text form of one JSON document of the API.
  using TextFormat = std::string (*)(std::string_view document);

  Session(Console& console, ApiClient& api, Encoding encoding)
      : console_(console), api_(api), encoding_(encoding) {}

  Console& console() { return console_; }
  ApiClient& api() { return api_; }
  bool json() const { return encoding_ == Encoding::Json; }

  // Prints a document as the user wants it.
  void show(std::string_view document, TextFormat text);
  // Prints the outcome of a request without a stream.
  int finish(const ApiResult<std::string>& result, TextFormat text);
  // The exit code after a stream whose documents were shown as they came.
  int finish(const ApiResult<void>& result);
  // An error of a request, on stdout when the server or the connection gave it.
  int report(const ApiError& error);
  // "error <doing>: <what>" on stderr.
  int fail(std::string_view doing, std::string_view what, int code = kExitFailed);

  // Lists that come as streams: each document is shown as it arrives.
  Task<int> show_stream(std::string method, std::string path, TextFormat text);

 private:
  Console& console_;
  ApiClient& api_;
  Encoding encoding_;
};

}  // namespace ica::ctl
