#include "common/codec/multibase.h"

#include <algorithm>
#include <array>
#include <vector>

#include "common/codec/base58.h"
#include "common/codec/go_quote.h"

namespace ica {

namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase32Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kBase32Hex = "0123456789abcdefghijklmnopqrstuv";
constexpr std::string_view kBase32HexUpper = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
constexpr std::string_view kBase36 = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kBase36Upper = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr uint8_t kNone = 0xff;
using DecodeMap = std::array<uint8_t, 256>;

constexpr DecodeMap make_map(std::string_view alphabet, bool any_case) {
  DecodeMap map{};
  for (auto& entry : map) {
    entry = kNone;
  }
  for (size_t i = 0; i < alphabet.size(); ++i) {
    const char c = alphabet[i];
    map[static_cast<uint8_t>(c)] = static_cast<uint8_t>(i);
    if (any_case && c >= 'a' && c <= 'z') {
      map[static_cast<uint8_t>(c - 'a' + 'A')] = static_cast<uint8_t>(i);
    }
  }
  return map;
}
constexpr DecodeMap kBase32Map = make_map(kBase32, true);
constexpr DecodeMap kBase32HexMap = make_map(kBase32Hex, true);
constexpr DecodeMap kBase36Map = make_map(kBase36, true);
constexpr DecodeMap kBase64Map = make_map(kBase64, false);
constexpr DecodeMap kBase64UrlMap = make_map(kBase64Url, false);
constexpr DecodeMap kBase16Map = make_map("0123456789abcdef", true);

// Base 36 is quadratic, so it gets the bound of base 58.
constexpr size_t kMaxBase36Text = kMaxBase58Text;

uint8_t byte_at(BytesView bytes, size_t i) {
  return static_cast<uint8_t>(bytes[i]);
}

void encode_base16(std::string& out, BytesView bytes, std::string_view digits) {
  for (const char c : bytes) {
    const auto b = static_cast<uint8_t>(c);
    out.push_back(digits[b >> 4]);
    out.push_back(digits[b & 15]);
  }
}

// Two characters for ten bits, so that five bytes take four look-ups.
using PairTable = std::array<char, 2048>;
constexpr PairTable make_pairs(std::string_view alphabet) {
  PairTable table{};
  for (size_t i = 0; i < 1024; ++i) {
    table[2 * i] = alphabet[i >> 5];
    table[2 * i + 1] = alphabet[i & 31];
  }
  return table;
}
constexpr PairTable kBase32Pairs = make_pairs(kBase32);
constexpr PairTable kBase32UpperPairs = make_pairs(kBase32Upper);
constexpr PairTable kBase32HexPairs = make_pairs(kBase32Hex);
constexpr PairTable kBase32HexUpperPairs = make_pairs(kBase32HexUpper);

void encode_base32(std::string& out, BytesView bytes, const PairTable& pairs, bool pad) {
  const size_t start = out.size();
  const size_t length = (bytes.size() * 8 + 4) / 5;
  const size_t padded = (length + 7) / 8 * 8;
  // Written in whole groups of eight and cut afterwards.
  out.resize(start + padded);
  char* at = out.data() + start;
  for (size_t i = 0; i < bytes.size(); i += 5) {
    uint64_t group = 0;
    const size_t take = std::min<size_t>(5, bytes.size() - i);
    for (size_t k = 0; k < 5; ++k) {
      group = (group << 8) | (k < take ? byte_at(bytes, i + k) : 0U);
    }
    for (int shift = 30; shift >= 0; shift -= 10) {
      const size_t pair = (group >> shift) & 1023;
      *at++ = pairs[2 * pair];
      *at++ = pairs[2 * pair + 1];
    }
  }
  if (pad) {
    std::fill(out.begin() + static_cast<ptrdiff_t>(start + length), out.end(), '=');
  } else {
    out.resize(start + length);
  }
}

void encode_base64(std::string& out, BytesView bytes, std::string_view alphabet, bool pad) {
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t group = (static_cast<uint32_t>(byte_at(bytes, i)) << 16) |
                           (static_cast<uint32_t>(byte_at(bytes, i + 1)) << 8) |
                           byte_at(bytes, i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) {
      out.push_back(alphabet[(group >> shift) & 63]);
    }
  }
  const size_t rest = bytes.size() - i;
  if (rest == 0) {
    return;
  }
  uint32_t group = static_cast<uint32_t>(byte_at(bytes, i)) << 16;
  if (rest == 2) {
    group |= static_cast<uint32_t>(byte_at(bytes, i + 1)) << 8;
  }
  out.push_back(alphabet[(group >> 18) & 63]);
  out.push_back(alphabet[(group >> 12) & 63]);
  if (rest == 2) {
    out.push_back(alphabet[(group >> 6) & 63]);
  }
  if (pad) {
    out.append(rest == 2 ? "=" : "==");
  }
}

void encode_base36(std::string& out, BytesView bytes, std::string_view alphabet) {
  std::vector<uint32_t> limbs;  // base 36^5, lowest first
  constexpr uint64_t kLimb = 36ULL * 36 * 36 * 36 * 36;
  size_t zeros = 0;
  while (zeros < bytes.size() && bytes[zeros] == 0) {
    ++zeros;
  }
  for (const char c : bytes.substr(zeros)) {
    uint64_t carry = static_cast<uint8_t>(c);
    for (uint32_t& limb : limbs) {
      const uint64_t t = static_cast<uint64_t>(limb) * 256 + carry;
      limb = static_cast<uint32_t>(t % kLimb);
      carry = t / kLimb;
    }
    if (carry != 0) {
      limbs.push_back(static_cast<uint32_t>(carry));
    }
  }
  std::string digits;
  for (uint32_t limb : limbs) {
    for (int i = 0; i < 5; ++i) {
      digits.push_back(alphabet[limb % 36]);
      limb /= 36;
    }
  }
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
  }
  out.append(zeros, '0');
  out.append(digits.rbegin(), digits.rend());
}

tl::unexpected<Error> corrupt(std::string_view what, size_t at) {
  return fail(Code::InvalidArgument, "illegal {} data at input byte {}", what, at);
}

// As Go's readers: line breaks are skipped, and positions count without them.
std::string without_line_breaks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [](char c) { return c != '\n' && c != '\r'; });
  return out;
}

Result<Bytes> decode_base32(std::string_view raw, const DecodeMap& map, bool padded) {
  const std::string text = without_line_breaks(raw);
  Bytes out;
  out.reserve(text.size() * 5 / 8 + 5);
  size_t at = 0;
  bool end = false;
  while (at < text.size() && !end) {
    uint64_t group = 0;
    size_t count = 0;
    while (count < 8) {
      if (at == text.size()) {
        if (padded) {
          return corrupt("base32", text.size() - count);
        }
        break;
      }
      const auto c = static_cast<uint8_t>(text[at]);
      const size_t left = text.size() - at - 1;
      if (padded && c == '=' && count >= 2 && left < 8) {
        if (left + count < 7) {
          return corrupt("base32", text.size());
        }
        for (size_t k = 0; k < 7 - count; ++k) {
          if (left > k && text[at + 1 + k] != '=') {
            return corrupt("base32", at + k);
          }
        }
        if (count == 3 || count == 6) {
          return corrupt("base32", at);
        }
        end = true;
        break;
      }
      if (map[c] == kNone) {
        return corrupt("base32", at);
      }
      group = (group << 5) | map[c];
      ++count;
      ++at;
    }
    // 1, 3 and 6 characters cannot be a group; the reference drops them.
    constexpr std::array<size_t, 9> kBytes = {0, 0, 1, 0, 2, 3, 0, 4, 5};
    group <<= 5 * (8 - count);
    for (size_t k = 0; k < kBytes[count]; ++k) {
      out.push_back(static_cast<char>(group >> (32 - 8 * k)));
    }
    if (count < 8) {
      break;
    }
  }
  return out;
}

Result<Bytes> decode_base64(std::string_view text, const DecodeMap& map, bool padded) {
  Bytes out;
  out.reserve(text.size() * 3 / 4 + 3);
  const auto is_break = [&](size_t i) { return text[i] == '\n' || text[i] == '\r'; };
  size_t at = 0;
  while (at < text.size()) {
    uint32_t group = 0;
    size_t count = 0;
    bool end = false;
    while (count < 4 && !end) {
      if (at == text.size()) {
        if (count == 0) {
          return out;
        }
        if (count == 1 || padded) {
          return corrupt("base64", at - count);
        }
        break;
      }
      const auto c = static_cast<uint8_t>(text[at]);
      if (map[c] != kNone) {
        group = (group << 6) | map[c];
        ++count;
        ++at;
        continue;
      }
      if (is_break(at)) {
        ++at;
        continue;
      }
      if (!padded || c != '=' || count < 2) {
        return corrupt("base64", at);
      }
      ++at;
      const auto skip_breaks = [&] {
        while (at < text.size() && is_break(at)) {
          ++at;
        }
      };
      if (count == 2) {
        skip_breaks();
        if (at == text.size()) {
          return corrupt("base64", text.size());
        }
        if (text[at] != '=') {
          return corrupt("base64", at - 1);
        }
        ++at;
      }
      skip_breaks();
      if (at < text.size()) {
        return corrupt("base64", at);
      }
      end = true;
    }
    group <<= 6 * (4 - count);
    for (size_t k = 0; k + 1 < count; ++k) {
      out.push_back(static_cast<char>(group >> (16 - 8 * k)));
    }
  }
  return out;
}

// %q of the code point at `at`, as Go's range loop sees it.
std::string quoted_rune_at(std::string_view text, size_t at) {
  size_t length = 1;
  while (length < 4 && at + length < text.size() && (byte_at(text, at + length) & 0xc0) == 0x80) {
    ++length;
  }
  std::string quoted = go_quote(text.substr(at, byte_at(text, at) < 0x80 ? 1 : length));
  quoted.front() = quoted.back() = '\'';
  return quoted;
}

Result<Bytes> decode_base36(std::string_view text) {
  if (text.empty()) {
    return fail(Code::InvalidArgument, "can not decode zero-length string");
  }
  if (text.size() > kMaxBase36Text) {
    return fail(Code::TooLarge, "base36 text is longer than {} characters", kMaxBase36Text);
  }
  size_t zeros = 0;
  while (zeros < text.size() && text[zeros] == '0') {
    ++zeros;
  }
  std::vector<uint32_t> words;  // lowest first
  for (size_t i = zeros; i < text.size(); ++i) {
    const uint8_t digit = kBase36Map[byte_at(text, i)];
    if (digit == kNone) {
      return fail(Code::InvalidArgument, "invalid base36 character ({})", quoted_rune_at(text, i));
    }
    uint64_t carry = digit;
    for (uint32_t& word : words) {
      const uint64_t t = static_cast<uint64_t>(word) * 36 + carry;
      word = static_cast<uint32_t>(t);
      carry = t >> 32;
    }
    if (carry != 0) {
      words.push_back(static_cast<uint32_t>(carry));
    }
  }
  Bytes out(zeros, '\0');
  bool leading = true;
  for (size_t i = words.size(); i-- > 0;) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      const auto byte = static_cast<uint8_t>(words[i] >> shift);
      leading = leading && byte == 0;
      if (!leading) {
        out.push_back(static_cast<char>(byte));
      }
    }
  }
  return out;
}

Result<Bytes> decode_base2(std::string_view text) {
  Bytes out;
  const size_t missing = (8 - text.size() % 8) % 8;
  std::string padded(missing, '0');
  padded.append(text);
  for (size_t i = 0; i < padded.size(); i += 8) {
    uint8_t byte = 0;
    for (size_t k = i; k < i + 8; ++k) {
      if (padded[k] != '0' && padded[k] != '1') {
        return fail(Code::InvalidArgument,
                    "error while conversion: strconv.ParseInt: parsing {}: invalid syntax",
                    go_quote(std::string_view(padded).substr(i, 8)));
      }
      byte = static_cast<uint8_t>((byte << 1) | (padded[k] - '0'));
    }
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

// Go's %#U: "U+0067 'g'"; one byte, so Latin-1.
std::string unicode_name(uint8_t c) {
  std::string name = fmt::format("U+{:04X}", c);
  if (c >= 0x20 && c < 0x7f) {
    name += fmt::format(" '{}'", static_cast<char>(c));
  } else if (c > 0xa0 && c != 0xad) {
    name += fmt::format(" '{}{}'", static_cast<char>(0xc0 | (c >> 6)),
                        static_cast<char>(0x80 | (c & 0x3f)));
  }
  return name;
}

}  // namespace

Result<Bytes> base16_decode(std::string_view text) {
  Bytes out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t digit = kBase16Map[byte_at(text, i)];
    if (digit == kNone) {
      return fail(Code::InvalidArgument, "encoding/hex: invalid byte: {}",
                  unicode_name(byte_at(text, i)));
    }
    if (i % 2 == 0) {
      out.push_back(static_cast<char>(digit << 4));
    } else {
      out.back() = static_cast<char>(out.back() | static_cast<char>(digit));
    }
  }
  if (text.size() % 2 != 0) {
    return fail(Code::InvalidArgument, "encoding/hex: odd length hex string");
  }
  return out;
}

std::string multibase_encode(Multibase base, BytesView bytes) {
  std::string out(1, static_cast<char>(base));
  switch (base) {
    case Multibase::Identity:
      out.append(bytes);
      break;
    case Multibase::Base2:
      for (const char c : bytes) {
        for (int bit = 7; bit >= 0; --bit) {
          out.push_back(((static_cast<uint8_t>(c) >> bit) & 1) != 0 ? '1' : '0');
        }
      }
      break;
    case Multibase::Base16:
      encode_base16(out, bytes, "0123456789abcdef");
      break;
    case Multibase::Base16Upper:
      encode_base16(out, bytes, "0123456789ABCDEF");
      break;
    case Multibase::Base32:
    case Multibase::Base32Pad:
      encode_base32(out, bytes, kBase32Pairs, base == Multibase::Base32Pad);
      break;
    case Multibase::Base32Upper:
    case Multibase::Base32PadUpper:
      encode_base32(out, bytes, kBase32UpperPairs, base == Multibase::Base32PadUpper);
      break;
    case Multibase::Base32Hex:
    case Multibase::Base32HexPad:
      encode_base32(out, bytes, kBase32HexPairs, base == Multibase::Base32HexPad);
      break;
    case Multibase::Base32HexUpper:
    case Multibase::Base32HexPadUpper:
      encode_base32(out, bytes, kBase32HexUpperPairs, base == Multibase::Base32HexPadUpper);
      break;
    case Multibase::Base36:
      encode_base36(out, bytes, kBase36);
      break;
    case Multibase::Base36Upper:
      encode_base36(out, bytes, kBase36Upper);
      break;
    case Multibase::Base58Btc:
      append_base58(out, bytes);
      break;
    case Multibase::Base58Flickr:
      append_base58_flickr(out, bytes);
      break;
    case Multibase::Base64:
    case Multibase::Base64Pad:
      encode_base64(out, bytes, kBase64, base == Multibase::Base64Pad);
      break;
    case Multibase::Base64Url:
    case Multibase::Base64UrlPad:
      encode_base64(out, bytes, kBase64Url, base == Multibase::Base64UrlPad);
      break;
  }
  return out;
}

Result<Bytes> multibase_decode(std::string_view text) {
  if (text.empty()) {
    return fail(Code::InvalidArgument, "cannot decode multibase for zero length string");
  }
  const std::string_view rest = text.substr(1);
  switch (static_cast<Multibase>(text[0])) {
    case Multibase::Identity:
      return Bytes(rest);
    case Multibase::Base2:
      return decode_base2(rest);
    case Multibase::Base16:
    case Multibase::Base16Upper:
      return base16_decode(rest);
    case Multibase::Base32:
    case Multibase::Base32Upper:
      return decode_base32(rest, kBase32Map, false);
    case Multibase::Base32Pad:
    case Multibase::Base32PadUpper:
      return decode_base32(rest, kBase32Map, true);
    case Multibase::Base32Hex:
    case Multibase::Base32HexUpper:
      return decode_base32(rest, kBase32HexMap, false);
    case Multibase::Base32HexPad:
    case Multibase::Base32HexPadUpper:
      return decode_base32(rest, kBase32HexMap, true);
    case Multibase::Base36:
    case Multibase::Base36Upper:
      return decode_base36(rest);
    case Multibase::Base58Btc:
      return base58_decode(rest);
    case Multibase::Base58Flickr:
      return base58_flickr_decode(rest);
    case Multibase::Base64:
      return decode_base64(rest, kBase64Map, false);
    case Multibase::Base64Pad:
      return decode_base64(rest, kBase64Map, true);
    case Multibase::Base64Url:
      return decode_base64(rest, kBase64UrlMap, false);
    case Multibase::Base64UrlPad:
      return decode_base64(rest, kBase64UrlMap, true);
  }
  return fail(Code::InvalidArgument, "selected encoding not supported");
}

void append_base16(std::string& out, BytesView bytes) {
  encode_base16(out, bytes, "0123456789abcdef");
}

std::string base16(BytesView bytes) {
  std::string out;
  append_base16(out, bytes);
  return out;
}

void append_base32(std::string& out, BytesView bytes) {
  encode_base32(out, bytes, kBase32Pairs, false);
}

void append_base32_upper(std::string& out, BytesView bytes) {
  encode_base32(out, bytes, kBase32UpperPairs, false);
}

Result<Bytes> base32_decode(std::string_view text) {
  return decode_base32(text, kBase32Map, false);
}

std::string base64(BytesView bytes) {
  std::string out;
  encode_base64(out, bytes, kBase64, true);
  return out;
}

std::string base64_url(BytesView bytes) {
  std::string out;
  encode_base64(out, bytes, kBase64Url, false);
  return out;
}

Result<Bytes> base64_decode(std::string_view text) {
  return decode_base64(text, kBase64Map, true);
}

Result<Bytes> base64_url_decode(std::string_view text) {
  return decode_base64(text, kBase64UrlMap, false);
}

}  // namespace ica
