#include "common/base/error.h"

#include <cstdio>
#include <cstdlib>

#include "common/base/result.h"

namespace ica {

namespace {

struct CodeInfo {
  std::string_view name;
  int http;
  int exit;
};

// The one table from codes to HTTP statuses and exit codes.
CodeInfo info(Code code) {
  switch (code) {
    case Code::InvalidArgument:
      return {"invalid_argument", 400, 1};
    case Code::NotFound:
      return {"not_found", 404, 2};
    case Code::AlreadyExists:
      return {"already_exists", 409, 2};
    case Code::Conflict:
      return {"conflict", 409, 2};
    case Code::Unauthorized:
      return {"unauthorized", 401, 2};
    case Code::PermissionDenied:
      return {"permission_denied", 403, 2};
    case Code::Busy:
      return {"busy", 429, 2};
    case Code::TooLarge:
      return {"too_large", 413, 2};
    case Code::Unavailable:
      return {"unavailable", 500, 1};
    case Code::Timeout:
      return {"timeout", 500, 1};
    case Code::Cancelled:
      return {"cancelled", 500, 125};
    case Code::Closed:
      return {"closed", 500, 1};
    case Code::Protocol:
      return {"protocol", 500, 1};
    case Code::Corrupt:
      return {"corrupt", 500, 3};
    case Code::Io:
      return {"io", 500, 1};
    case Code::Unsupported:
      return {"unsupported", 501, 1};
    case Code::Internal:
      return {"internal", 500, 1};
  }
  return {"internal", 500, 1};
}

}  // namespace

std::string_view to_string(Code code) {
  return info(code).name;
}

int http_status(Code code) {
  return info(code).http;
}

int exit_code(Code code) {
  return info(code).exit;
}

Error&& Error::with_context(std::string_view what) && {
  message_ = fmt::format("{}: {}", what, message_);
  return std::move(*this);
}

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace ica
