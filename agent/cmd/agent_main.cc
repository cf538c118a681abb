#include "agent/cmd/program.h"

int main(int argc, char** argv) {
  return ica::cmd::run_program(std::vector<std::string>(argv, argv + argc));
}
