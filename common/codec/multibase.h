#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// The text encodings of multiformats; the value is the prefix character.
enum class Multibase : char {
  Identity = '\0',
  Base2 = '0',
  Base16 = 'f',
  Base16Upper = 'F',
  Base32 = 'b',
  Base32Upper = 'B',
  Base32Pad = 'c',
  Base32PadUpper = 'C',
  Base32Hex = 'v',
  Base32HexUpper = 'V',
  Base32HexPad = 't',
  Base32HexPadUpper = 'T',
  Base36 = 'k',
  Base36Upper = 'K',
  Base58Btc = 'z',
  Base58Flickr = 'Z',
  Base64 = 'm',
  Base64Pad = 'M',
  Base64Url = 'u',
  Base64UrlPad = 'U',
};

// With the prefix character.
std::string multibase_encode(Multibase base, BytesView bytes);
// Reads text in any of them. Errors have go-multibase's words ("selected encoding not supported",
// ...). As there, base 16, 32 and 36 are read without regard to case, and unused low bits of the
// last character are ignored.
Result<Bytes> multibase_decode(std::string_view text);

// The same encodings without a prefix, where formats call for one of them.
void append_base16(std::string& out, BytesView bytes);  // lower case
std::string base16(BytesView bytes);
Result<Bytes> base16_decode(std::string_view text);
void append_base32(std::string& out, BytesView bytes);  // lower case, no padding
void append_base32_upper(std::string& out, BytesView bytes);
// Upper or lower case, no padding.
Result<Bytes> base32_decode(std::string_view text);
std::string base64(BytesView bytes);      // standard alphabet, padded
std::string base64_url(BytesView bytes);  // URL alphabet, no padding
// Standard alphabet with padding, as Go's base64.StdEncoding reads it.
Result<Bytes> base64_decode(std::string_view text);
Result<Bytes> base64_url_decode(std::string_view text);

}  // namespace ica
