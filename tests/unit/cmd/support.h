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

namespace ica::cmd::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ica-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs the program in this process with its three standard streams on files.
inline Outcome run(std::vector<std::string> args, const std::string& input = {}) {
  const TemporaryFolder folder;
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
