#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

#include "agent/config/service_json.h"
#include "common/base/file.h"
#include "tests/unit/scratch_dir.h"

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

using ica::test::ScratchDir;

}  // namespace ica::config::test
