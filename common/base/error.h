#pragma once

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace ica {

// What went wrong, coarse enough to choose an HTTP status, an RPC error and an exit code from
// (http_status, exit_code). The message is for people and is, where the reference has one, the
// reference's text.
enum class Code {
  InvalidArgument,   // the caller's input is wrong
  NotFound,          // the thing asked for does not exist
  AlreadyExists,     //
  Conflict,          // refused because of the present state
  Unauthorized,      // no or bad credentials
  PermissionDenied,  // known caller, not allowed
  Busy,              // a bound is reached, try again later
  TooLarge,          // input over its limit
  Unavailable,       // the other side cannot be reached
  Timeout,           // a deadline passed
  Cancelled,         // a stop token was triggered
  Closed,            // the stream or component has ended
  Protocol,          // the other side speaks nonsense
  Corrupt,           // stored data is damaged
  Io,                // disk or operating system
  Unsupported,       // known, and not offered
  Internal,          // a bug, or an error of a library that has no better code
};

// Short stable name, as used in logs and metrics: "not_found".
std::string_view to_string(Code code);

// The HTTP status for an error that leaves through an API.
int http_status(Code code);

// The exit code of a command that fails with this error.
int exit_code(Code code);

// Thread-safety: a value.
class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts "what: " before the message.
  Error&& with_context(std::string_view what) &&;

 private:
  Code code_;
  std::string message_;
};

}  // namespace ica
