#include "common/codec/base58.h"
#include "common/codec/go_quote.h"
#include "common/codec/multibase.h"
#include "common/codec/url_escape.h"
#include "common/codec/utf8.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  (void)multibase_decode(input);
  if (input.size() > 512) {
    return;
  }
  for (const char base : {'\0', '0', 'f', 'F', 'b', 'B', 'c', 'C', 'v', 'V',
                          't',  'T', 'k', 'K', 'z', 'Z', 'm', 'M', 'u', 'U'}) {
    const std::string text = multibase_encode(static_cast<Multibase>(base), input);
    // Base 36 and 58 refuse the empty text that nothing encodes to.
    const bool empty =
        text.size() == 1 && (base == 'k' || base == 'K' || base == 'z' || base == 'Z');
    ICA_ASSERT(empty || multibase_decode(text).value() == input);
  }
  ICA_ASSERT(base64_decode(base64(input)).value() == input);
  (void)base58_decode(input);
  (void)go_quote(input);
  std::string escaped;
  append_query_escaped(escaped, input);
  ICA_ASSERT(query_unescape(escaped).value() == input);
  (void)query_unescape(input);
  ICA_ASSERT(valid_utf8(to_valid_utf8(input)));
  ICA_ASSERT(!valid_utf8(input) || to_valid_utf8(input) == input);
}
