#include "common/web/access_log.h"

#include <cerrno>
#include <ctime>

#include "common/base/log.h"
#include "common/base/system_words.h"

namespace ica::web {
namespace {

// What a client sends must not forge lines.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, 2048));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == 0x7f) {
      c = '?';
    }
  }
  return out;
}

}  // namespace

AccessLog::~AccessLog() {
  if (file_ != nullptr) {
    std::fclose(file_);
  }
}

Status AccessLog::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) {
    return fail(Code::Io, "access log {}: {}", path, system_words(errno));
  }
  const std::lock_guard lock(mutex_);
  if (file_ != nullptr) {
    std::fclose(file_);
  }
  file_ = file;
  return {};
}

bool AccessLog::wanted() const {
  return file_ != nullptr || log_enabled(component_, LogLevel::Debug);
}

void AccessLog::write(const http::Request& request, int status, uint64_t bytes) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char when[40] = {};
  std::strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S %z", &parts);
  const std::string host = request.remote.substr(0, request.remote.rfind(':'));
  const std::string line = fmt::format("{} - - [{}] \"{} {} HTTP/{}.{}\" {} {}", host, when,
                                       printable(request.method), printable(request.target),
                                       request.version / 10, request.version % 10, status, bytes);
  if (file_ == nullptr) {
    log_write(component_, LogLevel::Debug, line);
    return;
  }
  const std::lock_guard lock(mutex_);
  std::fprintf(file_, "%s\n", line.c_str());
  std::fflush(file_);
}

}  // namespace ica::web
