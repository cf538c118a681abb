// A request as it comes from a socket: the head's end, the head, a chunked body. Where the bytes
// are cut must not matter. The first byte says how.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "common/http/headers.h"
#include "common/http/request_parser.h"

using namespace ica;
using namespace ica::http;

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Body {
  Bytes content;
  bool failed = false, done = false;
  size_t used = 0;
};

Body decode(std::string_view bytes, size_t step) {
  ChunkDecoder decoder;
  Body body;
  std::string buffer;
  size_t fed = 0;
  while (fed < bytes.size() && !decoder.done()) {
    const std::string_view piece = bytes.substr(fed, step);
    fed += piece.size();
    buffer += piece;
    const auto used = decoder.decode(buffer, body.content);
    if (!used) {
      body.failed = true;
      return body;
    }
    require(*used <= buffer.size());
    buffer.erase(0, *used);
  }
  body.done = decoder.done();
  body.used = fed - buffer.size();
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 6000) {
    return 0;
  }
  const size_t step = data[0] % 32 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  size_t scanned = 0;
  const size_t end = find_head_end(bytes, scanned);
  size_t in_steps = std::string::npos;
  scanned = 0;
  for (size_t n = 0; n <= bytes.size() + step && in_steps == std::string::npos; n += step) {
    in_steps = find_head_end(bytes.substr(0, std::min(n, bytes.size())), scanned);
  }
  require(in_steps == end);
  if (end == std::string::npos) {
    return 0;
  }

  Request request;
  Framing framing;
  if (const auto refused = parse_head(bytes.substr(0, end), request, framing)) {
    require(refused->status >= 400 && refused->status < 600);
    return 0;
  }
  require(request.path.starts_with('/') || request.path == "*" || request.method == "CONNECT");
  require(!framing.chunked || request.header("Content-Length").empty());
  for (const auto& [name, value] : request.headers) {
    require(std::all_of(name.begin(), name.end(), is_token_char));
    require(value.find_first_of("\r\n") == std::string::npos);
  }

  const std::string_view rest = bytes.substr(end);
  const Body whole = decode(rest, rest.size() + 1);
  const Body pieces = decode(rest, step);
  require(whole.failed == pieces.failed);
  if (!whole.failed) {
    require(whole.done == pieces.done && whole.content == pieces.content);
    require(!whole.done || whole.used == pieces.used);
  }
  return 0;
}
