#include "agent/config/field.h"
#include "common/base/ascii.h"

namespace ica::config {

std::span<const Section> sections() {
  static const std::vector<Section> all = [] {
    std::vector<Section> list;
    for (const auto part : {cluster_sections(), api_sections(), component_sections()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

std::string env_name(const Section& section, const Field& field) {
  std::string name =
      section.key == "cluster" ? "CLUSTER_" : fmt::format("CLUSTER_{}_", section.key);
  for (const char c : field.key) {
    if (c == '.') {
      name += '_';
    } else if (c != '_') {
      name += c;
    }
  }
  return ascii_upper(name);
}

std::string path_of(const Section& section, const Field& field) {
  return fmt::format("{}.{}", section.key, field.key);
}

}  // namespace ica::config
