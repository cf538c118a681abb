#include "agent/config/go_indent.h"

namespace ica::config {
namespace {

// Copies the string that starts at `i`; returns the place after it.
size_t copy_string(std::string_view json, size_t i, std::string& out) {
  const size_t start = i++;
  while (i < json.size() && json[i] != '"') {
    i += json[i] == '\\' ? 2 : 1;
  }
  out += json.substr(start, i + 1 - start);
  return i + 1;
}

}  // namespace

std::string go_indent(std::string_view json, std::string_view indent) {
  std::string out;
  size_t depth = 0;
  const auto new_line = [&] {
    out += '\n';
    for (size_t i = 0; i < depth; ++i) {
      out += indent;
    }
  };
  for (size_t i = 0; i < json.size();) {
    const char c = json[i];
    switch (c) {
      case '"':
        i = copy_string(json, i, out);
        continue;
      case '{':
      case '[':
        out += c;
        if (i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
          out += json[++i];
        } else {
          ++depth;
          new_line();
        }
        break;
      case '}':
      case ']':
        --depth;
        new_line();
        out += c;
        break;
      case ',':
        out += c;
        new_line();
        break;
      case ':':
        out += ": ";
        break;
      default:
        out += c;
    }
    ++i;
  }
  return out;
}

}  // namespace ica::config
