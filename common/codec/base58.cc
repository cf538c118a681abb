#include "common/codec/base58.h"

#include <array>
#include <vector>

#include "common/codec/go_quote.h"

namespace ica {

namespace {

__extension__ using uint128 = unsigned __int128;

constexpr std::string_view kBitcoin = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::string_view kFlickr = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

// Numbers are handled as digits of base 58^5: five characters at a time, and a product with a
// 32-bit word still fits into 64 bits.
constexpr uint64_t kLimbBase = 58ULL * 58 * 58 * 58 * 58;

// For encoding: kPower[w] holds 2^(32 w) in limbs, lowest first. The sum over the words of the
// input then needs no division until the carries are resolved, which is the point of the table.
constexpr size_t kFastWords = 16;
constexpr size_t kFastLimbs = 18;  // 64 bytes need 88 digits
using Limbs = std::array<uint32_t, kFastLimbs>;

constexpr std::array<Limbs, kFastWords> make_powers() {
  std::array<Limbs, kFastWords> table{};
  table[0][0] = 1;
  for (size_t w = 1; w < kFastWords; ++w) {
    uint64_t carry = 0;
    for (size_t i = 0; i < kFastLimbs; ++i) {
      const uint64_t t = (static_cast<uint64_t>(table[w - 1][i]) << 32) + carry;
      table[w][i] = static_cast<uint32_t>(t % kLimbBase);
      carry = t / kLimbBase;
    }
  }
  return table;
}
constexpr std::array<Limbs, kFastWords> kPower = make_powers();

// How many limbs of kPower[w] can differ from zero.
constexpr std::array<uint8_t, kFastWords> make_lengths() {
  std::array<uint8_t, kFastWords> lengths{};
  for (size_t w = 0; w < kFastWords; ++w) {
    for (size_t i = 0; i < kFastLimbs; ++i) {
      if (kPower[w][i] != 0) {
        lengths[w] = static_cast<uint8_t>(i + 1);
      }
    }
  }
  return lengths;
}
constexpr std::array<uint8_t, kFastWords> kPowerLength = make_lengths();

// A sum of this many products of a 32-bit word and a limb, plus one carry, stays below 2^64.
constexpr size_t kWordsPerCarry = 5;

size_t resolve_carries(std::array<uint64_t, kFastLimbs>& limbs, size_t count) {
  uint64_t carry = 0;
  size_t i = 0;
  for (; i < count || carry != 0; ++i) {
    const uint64_t t = limbs[i] + carry;
    limbs[i] = t % kLimbBase;
    carry = t / kLimbBase;
  }
  return i;
}

// The significant part of `bytes` (at most 64 of them) in limbs; returns how many are in use.
size_t to_limbs(BytesView bytes, std::array<uint64_t, kFastLimbs>& limbs) {
  limbs.fill(0);
  size_t count = 0;
  size_t pending = 0;
  size_t w = 0;
  size_t end = bytes.size();
  while (end > 0) {
    uint32_t word = 0;
    const size_t take = end < 4 ? end : 4;
    for (size_t i = end - take; i < end; ++i) {
      word = (word << 8) | static_cast<uint8_t>(bytes[i]);
    }
    end -= take;
    const size_t length = kPowerLength[w];
    const Limbs& power = kPower[w];
    for (size_t i = 0; i < length; ++i) {
      limbs[i] += static_cast<uint64_t>(word) * power[i];
    }
    count = length > count ? length : count;
    ++w;
    if (++pending == kWordsPerCarry) {
      count = resolve_carries(limbs, count);
      pending = 0;
    }
  }
  return resolve_carries(limbs, count);
}

constexpr std::array<char, 58 * 58 * 2> make_pairs(std::string_view alphabet) {
  std::array<char, 58 * 58 * 2> pairs{};
  for (size_t i = 0; i < 58 * 58; ++i) {
    pairs[2 * i] = alphabet[i / 58];
    pairs[2 * i + 1] = alphabet[i % 58];
  }
  return pairs;
}
constexpr auto kBitcoinPairs = make_pairs(kBitcoin);
constexpr auto kFlickrPairs = make_pairs(kFlickr);

void encode_fast(std::string& out, BytesView bytes, std::string_view alphabet,
                 const std::array<char, 58 * 58 * 2>& pairs) {
  std::array<uint64_t, kFastLimbs> limbs;
  size_t count = to_limbs(bytes, limbs);
  while (count > 0 && limbs[count - 1] == 0) {
    --count;
  }
  char text[kFastLimbs * 5];
  for (size_t i = 0; i < count; ++i) {
    auto value = static_cast<uint32_t>(limbs[count - 1 - i]);
    char* const at = text + i * 5;
    const uint32_t low = value % (58 * 58);
    value /= 58 * 58;
    const uint32_t middle = value % (58 * 58);
    value /= 58 * 58;
    at[0] = alphabet[value];
    at[1] = pairs[2 * middle];
    at[2] = pairs[2 * middle + 1];
    at[3] = pairs[2 * low];
    at[4] = pairs[2 * low + 1];
  }
  size_t start = 0;
  while (start < count * 5 && text[start] == alphabet[0]) {
    ++start;
  }
  out.append(text + start, count * 5 - start);
}

void encode_long(std::string& out, BytesView bytes, std::string_view alphabet) {
  std::vector<uint32_t> limbs;  // lowest first
  for (const char c : bytes) {
    uint64_t carry = static_cast<uint8_t>(c);
    for (uint32_t& limb : limbs) {
      const uint64_t t = static_cast<uint64_t>(limb) * 256 + carry;
      limb = static_cast<uint32_t>(t % kLimbBase);
      carry = t / kLimbBase;
    }
    if (carry != 0) {
      limbs.push_back(static_cast<uint32_t>(carry));
    }
  }
  std::string text;
  for (uint32_t limb : limbs) {
    for (int i = 0; i < 5; ++i) {
      text.push_back(alphabet[limb % 58]);
      limb /= 58;
    }
  }
  while (!text.empty() && text.back() == alphabet[0]) {
    text.pop_back();
  }
  out.append(text.rbegin(), text.rend());
}

void encode(std::string& out, BytesView bytes, std::string_view alphabet,
            const std::array<char, 58 * 58 * 2>& pairs) {
  size_t zeros = 0;
  while (zeros < bytes.size() && bytes[zeros] == 0) {
    ++zeros;
  }
  out.append(zeros, alphabet[0]);
  bytes.remove_prefix(zeros);
  if (bytes.size() <= kFastWords * 4) {
    encode_fast(out, bytes, alphabet, pairs);
  } else {
    encode_long(out, bytes, alphabet);
  }
}

using DecodeMap = std::array<int8_t, 128>;
constexpr DecodeMap make_map(std::string_view alphabet) {
  DecodeMap map{};
  for (auto& entry : map) {
    entry = -1;
  }
  for (size_t i = 0; i < alphabet.size(); ++i) {
    map[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  }
  return map;
}
constexpr DecodeMap kBitcoinMap = make_map(kBitcoin);
constexpr DecodeMap kFlickrMap = make_map(kFlickr);

constexpr size_t kChunkDigits = 10;  // 58^10 < 2^59

Result<Bytes> decode(std::string_view text, std::string_view alphabet, const DecodeMap& map) {
  if (text.empty()) {
    return fail(Code::InvalidArgument, "zero length string");
  }
  if (text.size() > kMaxBase58Text) {
    return fail(Code::TooLarge, "base58 text is longer than {} characters", kMaxBase58Text);
  }
  size_t zeros = 0;
  while (zeros < text.size() && text[zeros] == alphabet[0]) {
    ++zeros;
  }
  const std::string_view digits = text.substr(zeros);

  std::array<uint64_t, 12> small{};  // enough for 128 digits
  std::vector<uint64_t> large;
  uint64_t* words = small.data();
  if (digits.size() > 128) {
    large.resize(digits.size() / kChunkDigits + 2);
    words = large.data();
  }
  size_t count = 0;
  size_t at = 0;
  while (at < digits.size()) {
    size_t take = (digits.size() - at) % kChunkDigits;
    take = take == 0 ? kChunkDigits : take;
    uint64_t chunk = 0;
    uint64_t scale = 1;
    for (size_t i = 0; i < take; ++i) {
      const auto c = static_cast<uint8_t>(digits[at + i]);
      if (c > 127) {
        return fail(Code::InvalidArgument, "high-bit set on invalid digit");
      }
      if (map[c] < 0) {
        return fail(Code::InvalidArgument, "invalid base58 digit ({})", go_quote_rune(c));
      }
      chunk = chunk * 58 + static_cast<uint64_t>(map[c]);
      scale *= 58;
    }
    at += take;
    uint64_t carry = chunk;
    for (size_t i = 0; i < count; ++i) {
      const uint128 t = static_cast<uint128>(words[i]) * scale + carry;
      words[i] = static_cast<uint64_t>(t);
      carry = static_cast<uint64_t>(t >> 64);
    }
    if (carry != 0) {
      words[count++] = carry;
    }
  }

  Bytes out(zeros, '\0');
  bool leading = true;
  for (size_t i = count; i-- > 0;) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      const auto byte = static_cast<uint8_t>(words[i] >> shift);
      leading = leading && byte == 0;
      if (!leading) {
        out.push_back(static_cast<char>(byte));
      }
    }
  }
  return out;
}

}  // namespace

void append_base58(std::string& out, BytesView bytes) {
  encode(out, bytes, kBitcoin, kBitcoinPairs);
}

std::string base58(BytesView bytes) {
  std::string out;
  append_base58(out, bytes);
  return out;
}

Result<Bytes> base58_decode(std::string_view text) {
  return decode(text, kBitcoin, kBitcoinMap);
}

void append_base58_flickr(std::string& out, BytesView bytes) {
  encode(out, bytes, kFlickr, kFlickrPairs);
}

Result<Bytes> base58_flickr_decode(std::string_view text) {
  return decode(text, kFlickr, kFlickrMap);
}

}  // namespace ica
