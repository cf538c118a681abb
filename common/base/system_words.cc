#include "common/base/system_words.h"

#include <array>
#include <cstring>
#include <utility>

#include "common/base/ascii.h"

namespace ica {

std::string system_words(int error) {
  std::array<char, 128> buffer{};
  return system_words(std::string(strerror_r(error, buffer.data(), buffer.size())));
}

std::string system_words(std::string text) {
  if (!text.empty()) {
    text[0] = ascii_lower(text[0]);
  }
  return text;
}

}  // namespace ica
