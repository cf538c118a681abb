#include "agent/ctl/console.h"

#include <cerrno>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ica::ctl {
namespace {
constexpr std::string_view kClearLine = "\r\x1b[K";
}  // namespace

void Console::write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      writable_ = writable_ && fd != out_fd_;
      return;
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
}

void Console::out(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= (64U << 10)) {
    flush();
  }
}

void Console::err(std::string_view text) {
  flush();
  write_all(err_fd_, text);
}

void Console::flush() {
  if (buffer_.empty()) {
    return;
  }
  if (!progress_.empty()) {
    write_all(err_fd_, kClearLine);
  }
  write_all(out_fd_, buffer_);
  buffer_.clear();
  if (!progress_.empty()) {
    write_all(err_fd_, progress_);
  }
}

bool Console::err_is_terminal() const {
  return ::isatty(err_fd_) == 1;
}

bool Console::out_is_terminal() const {
  return ::isatty(out_fd_) == 1;
}

bool Console::can_ask() const {
  return ::isatty(in_fd_) == 1 && err_is_terminal();
}

std::string Console::read_line() {
  std::string out;
  char c = 0;
  while (true) {
    const ssize_t n = ::read(in_fd_, &c, 1);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0 || c == '\n') {
      return out;
    }
    out += c;
  }
}

bool Console::confirm(std::string_view question) {
  for (int i = 0; i < 3; ++i) {
    err(question);
    err(" ");
    const std::string answer = read_line();
    if (answer.empty() || answer == "n" || answer == "N") {
      return false;
    }
    if (answer == "y" || answer == "Y") {
      return true;
    }
    err("Please press either 'y' or 'n'\n");
  }
  return false;
}

size_t Console::width() const {
  winsize size{};
  if (!out_is_terminal()) {
    return 0;
  }
  return ::ioctl(out_fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool Console::colours() const {
  const char* off = std::getenv("NO_COLOR");
  return out_is_terminal() && (off == nullptr || *off == '\0');
}

void Console::clear_screen() {
  if (out_is_terminal()) {
    out("\x1b[H\x1b[2J");
  }
}

void Console::set_progress_line(std::string_view line) {
  if (!err_is_terminal() || (line.empty() && progress_.empty())) {
    return;
  }
  flush();
  progress_ = line;
  write_all(err_fd_, kClearLine);
  write_all(err_fd_, progress_);
}

}  // namespace ica::ctl
