#include "common/codec/peer_id.h"

#include <array>
#include <cstring>

#include "common/codec/base58.h"
#include "common/codec/cid.h"
#include "common/codec/go_quote.h"
#include "common/codec/multihash.h"

namespace ica {

namespace {

Result<PeerId> make(BytesView bytes) {
  return PeerId::from_bytes(bytes);
}

// The name that the reference's table of codecs gives, for its error text.
std::string codec_name(uint64_t codec) {
  switch (codec) {
    case multicodec::kRaw:
      return "raw";
    case multicodec::kDagPb:
      return "dag-pb";
    case multicodec::kDagCbor:
      return "dag-cbor";
    case multicodec::kIdentity:
      return "identity";
    default:
      return fmt::format("Code({})", codec);
  }
}

}  // namespace

Result<PeerId> PeerId::parse(std::string_view text) {
  constexpr std::string_view kPrefix = "failed to parse peer ID: ";
  if (text.starts_with("Qm") || text.starts_with("1")) {
    const auto bytes = base58_decode(text);
    if (!bytes.has_value()) {
      return fail(Code::InvalidArgument, "{}input isn't valid multihash", kPrefix);
    }
    auto id = make(*bytes);
    if (!id.has_value()) {
      return fail(id.error().code(), "{}{}", kPrefix, id.error().message());
    }
    return id;
  }
  const auto cid = Cid::parse(text);
  if (!cid.has_value()) {
    return fail(cid.error().code(), "{}{}", kPrefix, cid.error().message());
  }
  if (cid->codec() != multicodec::kLibp2pKey) {
    return fail(Code::InvalidArgument, "can't convert CID of type {} to a peer ID",
                go_quote(codec_name(cid->codec())));
  }
  return make(cid->multihash());
}

Result<PeerId> PeerId::from_bytes(BytesView bytes) {
  if (const auto hash = decode_multihash(bytes); !hash.has_value()) {
    return fail(hash.error());
  }
  if (bytes.size() > kMaxBytes) {
    return fail(Code::TooLarge, "peer ID is longer than {} bytes", kMaxBytes);
  }
  PeerId id;
  id.bytes_.assign(bytes.data(), bytes.size());
  return id;
}

std::string PeerId::text() const {
  std::string out;
  append_text(out);
  return out;
}

// A cluster has few peers and prints them a million times in a listing.
void PeerId::append_text(std::string& out) const {
  struct Entry {
    Bytes bytes;
    std::string text;
  };
  constexpr size_t kEntries = 64;
  thread_local std::array<Entry, kEntries> cache;
  if (bytes_.size() < sizeof(uint64_t)) {
    append_base58(out, bytes());
    return;
  }
  // The end of an ID is the end of a key or of a hash: random enough to choose the slot by.
  uint64_t tail = 0;
  std::memcpy(&tail, bytes_.data() + bytes_.size() - sizeof tail, sizeof tail);
  Entry& entry = cache[tail % kEntries];
  if (entry.bytes != bytes()) {
    entry.bytes = bytes();
    entry.text.clear();
    append_base58(entry.text, bytes());
  }
  out.append(entry.text);
}

}  // namespace ica
