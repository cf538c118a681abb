// Query strings, paths and header parameters: whatever comes in, decoding what was decoded and
// encoded again gives the same.
#include <cstdint>
#include <cstdlib>

#include "common/codec/url_escape.h"
#include "common/http/headers.h"
#include "common/http/url.h"

using namespace ica;
using namespace ica::http;

namespace {
void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Query query(text);
  std::string again;
  for (const auto& [key, value] : query.pairs()) {
    require(query.has(key));
    again += "&" + percent_encode(key) + "=" + percent_encode(value);
  }
  require(Query(again).pairs() == query.pairs());
  require(path_unescape(escape_path(text)) == text);
  require(query_unescape(percent_encode(text)) == text);
  const std::string clean = clean_path(text);
  require(clean.starts_with('/') && clean_path(clean) == clean);
  require(clean.find("//") == std::string::npos);
  if (const auto media = parse_media_type(text)) {
    require(!media->type.empty());
  }
  return 0;
}
