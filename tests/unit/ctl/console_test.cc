#include "agent/ctl/console.h"

#include <array>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <string>
#include <unistd.h>

#include "agent/ctl/progress_bar.h"

namespace ica::ctl {
namespace {

// Until the other side is closed everywhere.
std::string read_all(int fd) {
  std::string out;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0) {
      return out;
    }
    out.append(buffer.data(), static_cast<size_t>(n));
  }
}

}  // namespace

TEST_CASE("output waits for flush, errors keep their order") {
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  {
    Console console(fds[1], fds[1]);
    console.out("one ");
    console.err("two ");
    console.out("three");
    console.set_progress_line("not on a pipe");
  }
  ::close(fds[1]);
  CHECK(read_all(fds[0]) == "one two three");
  ::close(fds[0]);
}

TEST_CASE("a reader that went away is noticed") {
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  ::close(fds[0]);
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  Console console(fds[1], STDERR_FILENO);
  CHECK(console.writable());
  console.out("lost");
  console.flush();
  CHECK_FALSE(console.writable());
  ::signal(SIGPIPE, before);
  ::close(fds[1]);
}

TEST_CASE("the progress line is redrawn below what is printed") {
  int terminal = -1;
  int program = -1;
  REQUIRE(::openpty(&terminal, &program, nullptr, nullptr, nullptr) == 0);
  {
    Console console(program, program);
    console.set_progress_line("50%");
    console.out("added x\n");
    console.flush();
    console.set_progress_line("");
  }
  ::close(program);
  CHECK(read_all(terminal) == "\r\x1b[K50%\r\x1b[Kadded x\r\n50%\r\x1b[K");
  ::close(terminal);
}

TEST_CASE("a question is asked at a terminal, and anything but a yes is a no") {
  int terminal = -1;
  int program = -1;
  REQUIRE(::openpty(&terminal, &program, nullptr, nullptr, nullptr) == 0);
  const auto type = [terminal](std::string_view text) {
    REQUIRE(::write(terminal, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  };
  {
    Console console(program, program, program);
    CHECK(console.can_ask());
    type("y\n");
    CHECK(console.confirm("Sure?"));
    type("what\nY\n");
    CHECK(console.confirm("Sure?"));
    type("n\n");
    CHECK_FALSE(console.confirm("Sure?"));
    type("\n");
    CHECK_FALSE(console.confirm("Sure?"));
    type("a\nb\nc\n");
    CHECK_FALSE(console.confirm("Sure?"));
  }
  ::close(program);
  ::close(terminal);
}

TEST_CASE("nobody is asked through a pipe") {
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  ::close(fds[1]);
  Console console(STDOUT_FILENO, STDERR_FILENO, fds[0]);
  CHECK_FALSE(console.can_ask());
  CHECK_FALSE(console.confirm(""));
  ::close(fds[0]);
}

TEST_CASE("progress in words") {
  CHECK(progress_line(500, 1000, 2) ==
        " 500 B / 1.0 kB [===============>              ]  50% 250 B/s");
  CHECK(progress_line(2000, 1000, 1).find("100%") != std::string::npos);
  CHECK(progress_line(0, 0, 0) == " 0 B 0 B/s");
}

}  // namespace ica::ctl
