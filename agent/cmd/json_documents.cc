#include "agent/cmd/json_documents.h"

#include <cctype>

namespace ica::cmd {

Status each_json_object(std::istream& in, const std::function<Status(std::string)>& take) {
  std::string document;
  int depth = 0;
  bool in_string = false;
  bool escaped = false;
  size_t count = 0;
  for (int next; (next = in.get()) != std::istream::traits_type::eof();) {
    const char c = static_cast<char>(next);
    if (depth == 0) {
      if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        continue;
      }
      if (c != '{') {
        return fail(Code::InvalidArgument, "entry {}: not a JSON object", count + 1);
      }
    }
    document += c;
    if (document.size() > kMaxDocument) {
      return fail(Code::TooLarge, "entry {} has more than {} bytes", count + 1, kMaxDocument);
    }
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
    if (depth == 0) {
      ++count;
      TRY_VOID(take(std::move(document)).context("entry {}", count));
      document.clear();
    }
  }
  if (in.bad()) {
    return fail(Code::Io, "reading the input failed after entry {}", count);
  }
  return depth == 0 ? Status()
                    : fail(Code::InvalidArgument, "the input ends inside of entry {}", count + 1);
}

}  // namespace ica::cmd
