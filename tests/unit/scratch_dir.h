#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace ica::test {

// A folder that goes away with the object; in memory where that is possible, because most tests
// sync often and do not care for the disk.
class ScratchDir {
 public:
  ScratchDir() {
    std::string name = "/dev/shm/ica-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      name = (std::filesystem::temp_directory_path() / "ica-test-XXXXXX").string();
      path_ = ::mkdtemp(name.data());
    } else {
      path_ = name;
    }
  }
  ~ScratchDir() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ica::test
