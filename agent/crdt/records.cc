#include "agent/crdt/records.h"

#include <cstring>
#include <sodium/crypto_shorthash.h>

#include "common/codec/multibase.h"

namespace ica::crdt {

namespace {

constexpr char kText = 0;
constexpr char kBinary = 1;
constexpr BytesView kMultihashPrefix("\x12\x20", 2);
constexpr size_t kTrailer = 9;
constexpr char kTrailerTag = 0x79;  // field 15, 64 bits

// path.Clean of Go on "/" + key, as go-datastore does with every key.
std::string clean(std::string_view key) {
  std::vector<std::string_view> parts;
  while (!key.empty()) {
    const size_t end = std::min(key.find('/'), key.size());
    const auto part = key.substr(0, end);
    key.remove_prefix(std::min(end + 1, key.size()));
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == "..") {
      if (!parts.empty()) {
        parts.pop_back();
      }
      continue;
    }
    parts.push_back(part);
  }
  std::string out;
  for (const auto part : parts) {
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

Bytes pack_text(std::string_view text) {
  Bytes out(1, kText);
  out += clean(text);
  return out;
}

void append_be(Bytes& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

}  // namespace

Bytes pack_key(const Cid& cid) {
  Bytes out(1, kBinary);
  out += cid.bytes();
  return out;
}

Bytes pack_key(std::string_view key) {
  if (key.starts_with('/')) {
    // Only what comes back the same is kept in binary: base32 can be written in several ways.
    if (const auto cid = api::cid_from_state_key(key); cid && api::state_key(*cid) == key) {
      return pack_key(*cid);
    }
  }
  return pack_text(key);
}

Cid cid_of_key(BytesView packed_key) {
  if (packed_key.empty() || packed_key[0] != kBinary) {
    return {};
  }
  auto cid = Cid::from_bytes(packed_key.substr(1));
  return cid ? *std::move(cid) : Cid();
}

std::string key_text(BytesView packed_key) {
  if (const Cid cid = cid_of_key(packed_key); cid.defined()) {
    return api::state_key(cid);
  }
  return std::string(packed_key.substr(1));
}

Bytes pack_id_of_digest(BytesView digest) {
  Bytes out(1, kBinary);
  out += digest;
  return out;
}

std::string id_text(BytesView packed_id) {
  if (const BytesView digest = digest_of_id(packed_id); !digest.empty()) {
    std::string out = "/";
    append_base32_upper(out, Bytes(kMultihashPrefix) + Bytes(digest));
    return out;
  }
  return std::string(packed_id.substr(1));
}

Bytes pack_id(std::string_view id) {
  const size_t length = 1 + (2 + kDigestBytes) * 8 / 5 + 1;
  if (id.starts_with('/') && id.size() == length) {
    const auto hash = base32_decode(id.substr(1));
    if (hash && hash->size() == 2 + kDigestBytes && hash->starts_with(kMultihashPrefix)) {
      Bytes packed = pack_id_of_digest(BytesView(*hash).substr(2));
      if (id_text(packed) == id) {
        return packed;
      }
    }
  }
  return pack_text(id);
}

BytesView digest_of_id(BytesView packed_id) {
  return packed_id.size() == 1 + kDigestBytes && packed_id[0] == kBinary ? packed_id.substr(1)
                                                                         : BytesView();
}

Bytes element_prefix(BytesView packed_key) {
  Bytes out = "e";
  append_be(out, packed_key.size(), 2);
  out += packed_key;
  return out;
}

Bytes element_key(BytesView packed_key, BytesView packed_id) {
  Bytes out = element_prefix(packed_key);
  out += packed_id;
  return out;
}

Bytes odd_value_key(BytesView packed_key) {
  Bytes out = "v";
  out += packed_key;
  return out;
}

void append_uvarint(Bytes& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

std::optional<uint64_t> take_uvarint(BytesView& in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      return value;
    }
  }
  return std::nullopt;
}

Bytes encode_current(const Current& current) {
  Bytes out;
  out.reserve(current.value.size() + kTrailer);
  out = current.value;
  out.push_back(kTrailerTag);
  for (int shift = 0; shift < 64; shift += 8) {
    out.push_back(static_cast<char>(current.priority >> shift));
  }
  return out;
}

Result<Current> decode_current(BytesView record) {
  if (record.size() < kTrailer || record[record.size() - kTrailer] != kTrailerTag) {
    return fail(Code::Corrupt, "a record of the pinset has no priority");
  }
  Current current;
  current.value = record.substr(0, record.size() - kTrailer);
  const BytesView number = record.substr(record.size() - kTrailer + 1);
  for (size_t i = 0; i < number.size(); ++i) {
    current.priority |= static_cast<uint64_t>(static_cast<uint8_t>(number[i])) << (8 * i);
  }
  return current;
}

Result<api::Pin> pin_of_record(const Cid& cid, BytesView record) {
  if (record.size() < kTrailer) {
    return fail(Code::Corrupt, "the record of pin {} is cut", cid);
  }
  auto pin = api::decode_pin(cid, record.substr(0, record.size() - kTrailer));
  if (!pin) {
    return fail(Code::Corrupt, "the record of pin {} is damaged: {}", cid, pin.error().message());
  }
  return pin;
}

uint64_t digest_term(BytesView packed_key, BytesView value) {
  static constexpr std::array<unsigned char, crypto_shorthash_KEYBYTES> kKey = {
      'i', 'c', 'a', '-', 's', 't', 'a', 't', 'e', '-', 'd', 'i', 'g', 'e', 's', 't'};
  Bytes text;
  text.reserve(packed_key.size() + value.size() + 4);
  append_be(text, packed_key.size(), 4);
  text += packed_key;
  text += value;
  std::array<unsigned char, crypto_shorthash_BYTES> hash{};
  crypto_shorthash(hash.data(), u8(text), text.size(), kKey.data());
  uint64_t term = 0;
  for (const unsigned char byte : hash) {
    term = term << 8 | byte;
  }
  return term;
}

Bytes by_peer_prefix(const PeerId& peer) {
  Bytes out;
  append_be(out, peer.bytes().size(), 1);
  out += peer.bytes();
  return out;
}

Bytes crowded_prefix() {
  return by_peer_prefix(PeerId());
}

Bytes by_expiry_key(Time expire_at, const Cid& cid) {
  Bytes out;
  append_be(out, static_cast<uint64_t>(std::max<int64_t>(expire_at.unix_seconds(), 0)), 8);
  out += cid.bytes();
  return out;
}

Cid cid_of_expiry_key(BytesView key) {
  auto cid = Cid::from_bytes(key.substr(std::min<size_t>(8, key.size())));
  return cid ? *std::move(cid) : Cid();
}

Time time_of_expiry_key(BytesView key) {
  uint64_t seconds = 0;
  for (const char c : key.substr(0, 8)) {
    seconds = seconds << 8 | static_cast<unsigned char>(c);
  }
  return Time::from_unix(static_cast<int64_t>(seconds));
}

Result<PeerId> peer_of_by_peer_key(BytesView key) {
  if (key.empty() || key.size() < 1U + static_cast<unsigned char>(key[0])) {
    return fail(Code::Corrupt, "a key of {} bytes names no peer", key.size());
  }
  return PeerId::from_bytes(key.substr(1, static_cast<unsigned char>(key[0])));
}

Bytes by_name_prefix(std::string_view name) {
  Bytes out(name.substr(0, kMaxIndexedName));
  out.push_back('\0');
  return out;
}

}  // namespace ica::crdt
