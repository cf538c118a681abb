#pragma once

#include <string>
#include <string_view>

namespace ica::ctl {

// Standard input, output and error of the program. Output is buffered up to 64 KiB; whoever waits
// for something that may take long flushes first. Thread-safety: none.
class Console {
 public:
  Console(int out_fd, int err_fd, int in_fd = 0)
      : out_fd_(out_fd), err_fd_(err_fd), in_fd_(in_fd) {}
  ~Console() { flush(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void out(std::string_view text);
  // Written at once, after what stands in the output buffer, so that both keep their order on a
  // terminal.
  void err(std::string_view text);
  void flush();
  // False after the reader of the output has gone away.
  bool writable() const { return writable_; }
  bool err_is_terminal() const;
  bool out_is_terminal() const;
  // Whether somebody sits there who sees a question and can answer it.
  bool can_ask() const;
  // Asks up to three times; no answer means no.
  bool confirm(std::string_view question);
  // Of the terminal, 0 when the output is none.
  size_t width() const;
  // On a terminal, unless NO_COLOR is set.
  bool colours() const;
  // Takes away what the terminal shows; nothing elsewhere.
  void clear_screen();

  // One line at the bottom of the terminal that `out` writes above; empty takes it away. Only shown
  // when err_is_terminal().
  void set_progress_line(std::string_view line);

 private:
  void write_all(int fd, std::string_view text);
  // A line of the input without its end; empty also at the end of the input.
  std::string read_line();

  int out_fd_;
  int err_fd_;
  int in_fd_;
  bool writable_ = true;
  std::string buffer_;
  std::string progress_;
};

}  // namespace ica::ctl
