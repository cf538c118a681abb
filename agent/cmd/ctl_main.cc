#include <string>
#include <unistd.h>
#include <vector>

#include "agent/ctl/app.h"

int main(int argc, char** argv) {
  ica::ctl::Console console(STDOUT_FILENO, STDERR_FILENO);
  const int code = ica::ctl::run(std::vector<std::string>(argv + 1, argv + argc), console);
  console.flush();
  return code;
}
