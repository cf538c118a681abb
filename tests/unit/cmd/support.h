#pragma once

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

#include "agent/cmd/program.h"
#include "common/base/file.h"
#include "tests/unit/scratch_dir.h"

namespace ica::cmd::test {

using ica::test::ScratchDir;

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs the program in this process with its three standard streams on files.
inline Outcome run(std::vector<std::string> args, const std::string& input = {}) {
  const ScratchDir folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  (void)write_file(file("in"), input, 0600);
  std::fflush(nullptr);
  const int saved[] = {dup(0), dup(1), dup(2)};
  const int opened[] = {open(file("in").c_str(), O_RDONLY),
                        open(file("out").c_str(), O_WRONLY | O_CREAT, 0600),
                        open(file("err").c_str(), O_WRONLY | O_CREAT, 0600)};
  for (int i = 0; i < 3; ++i) {
    dup2(opened[i], i);
    close(opened[i]);
  }
  args.insert(args.begin(), "/usr/bin/ipfs-cluster-agent");
  Outcome outcome;
  outcome.code = run_program(args);
  std::fflush(nullptr);
  for (int i = 0; i < 3; ++i) {
    dup2(saved[i], i);
    close(saved[i]);
  }
  outcome.out = read_file(file("out"), 1 << 20).value_or("");
  outcome.err = read_file(file("err"), 1 << 20).value_or("");
  return outcome;
}

}  // namespace ica::cmd::test
