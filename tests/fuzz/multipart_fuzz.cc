// Multipart bodies: where the bytes are cut must not matter. The first byte says how.
#include <cstdint>
#include <cstdlib>

#include "common/http/multipart.h"

using namespace ica;
using namespace ica::http;

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

std::string describe(std::string_view body, size_t step) {
  using Event = MultipartParser::Event;
  MultipartParser parser("b0");
  std::string out;
  size_t fed = 0;
  bool in_part = false;
  while (true) {
    const auto event = parser.next();
    if (!event) {
      return out + "!" + event.error().message();
    }
    switch (*event) {
      case Event::NeedMore:
        if (fed < body.size()) {
          parser.feed(body.substr(fed, step));
          fed += step;
        } else {
          parser.feed_end();
        }
        break;
      case Event::Part:
        require(!in_part);
        in_part = true;
        out += "[";
        for (const auto& [name, value] : parser.headers()) {
          out += name + "=" + value + ";";
        }
        out += "]";
        break;
      case Event::Data: {
        const Bytes piece = parser.data();
        require(in_part && !piece.empty());
        out += piece;
        break;
      }
      case Event::PartEnd:
        require(in_part);
        in_part = false;
        out += "/";
        break;
      case Event::End:
        require(!in_part);
        return out + "$";
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 16384) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(describe(body, body.size() + 1) == describe(body, data[0] % 64 + 1));
  return 0;
}
