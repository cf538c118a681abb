#pragma once

#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace ica {

// Base58 with Bitcoin's alphabet (peer IDs, version 0 CIDs, topic names). Fast for inputs up to 64
// bytes, which is all that we print in bulk; longer ones take time quadratic in their length.
void append_base58(std::string& out, BytesView bytes);
std::string base58(BytesView bytes);

// Fails with the words of the reference's library. `text` of more than kMaxBase58Text characters is
// refused, because decoding is quadratic.
inline constexpr size_t kMaxBase58Text = 8192;
Result<Bytes> base58_decode(std::string_view text);

// The same with Flickr's alphabet (multibase 'Z').
void append_base58_flickr(std::string& out, BytesView bytes);
Result<Bytes> base58_flickr_decode(std::string_view text);

}  // namespace ica
