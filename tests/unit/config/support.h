#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

#include "agent/config/service_json.h"
#include "common/base/file.h"

namespace ica::config::test {

inline std::string vector_file(const std::string& name) {
  auto text = read_file(std::string(ICA_TEST_DATA) + "/config/" + name, 1 << 20);
  return text ? *text : std::string();
}

// NAME=value lines.
inline Environment environment_file(const std::string& name) {
  Environment environment;
  const std::string text = vector_file(name);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (const size_t equals = line.find('='); equals != std::string::npos) {
      environment[line.substr(0, equals)] = line.substr(equals + 1);
    }
    at = end + 1;
  }
  return environment;
}

// What the files in tests/vectors/config were made with.
inline Config vector_config() {
  Config config;
  config.cluster.peername = "peer0";
  for (char i = 0; i < 32; ++i) {
    config.cluster.secret += i;
  }
  return config;
}

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

}  // namespace ica::config::test
