#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/crdt/delta.h"
#include "common/api/pin.h"
#include "common/base/bytes.h"

namespace ica::crdt {

// Keys and values of this part's column families; docs/pinset.md describes them. All
// functions are pure.

// A key of the shared map in few bytes: \x01 and the CID's bytes when it is the canonical key of a
// pin, else \x00 and the text, cleaned as go-datastore does ("A//b/" is "/A/b").
Bytes pack_key(std::string_view key);
Bytes pack_key(const Cid& cid);
std::string key_text(BytesView packed_key);
// The CID of a key that can be a pin, else the undefined CID.
Cid cid_of_key(BytesView packed_key);

// The id in a tombstone names the block of the addition: "/" and upper-case base32 of the
// multihash. \x01 and the digest when it can be one of our blocks, else \x00 and the text.
Bytes pack_id(std::string_view id);
Bytes pack_id_of_digest(BytesView digest);
std::string id_text(BytesView packed_id);
// The digest of an id that names a block, else empty.
BytesView digest_of_id(BytesView packed_id);

// Elems and Tombs: everything of one key stands together.
Bytes element_prefix(BytesView packed_key);
Bytes element_key(BytesView packed_key, BytesView packed_id);
// Elems: the value of a key that is not (or not readable as) a pin.
Bytes odd_value_key(BytesView packed_key);

// The id at the end of an element_key with this prefix.
inline BytesView id_of_element(BytesView key, size_t prefix_size) {
  return key.substr(prefix_size);
}

void append_uvarint(Bytes& out, uint64_t value);
// Removes one from the front; nothing when it is cut or too long.
std::optional<uint64_t> take_uvarint(BytesView& in);

// The current value of a key and the priority it was written with. On disk the priority follows the
// value as protobuf field 15, so that a reader of pins may decode the record as it is.
struct Current {
  Bytes value;
  uint64_t priority = 0;
  friend bool operator==(const Current&, const Current&) = default;
};
Bytes encode_current(const Current& current);
Result<Current> decode_current(BytesView record);
// The pin in a record of the family Pins.
Result<api::Pin> pin_of_record(const Cid& cid, BytesView record);

// 64 bits over a key and its value; the digest of the state is the sum over all keys.
uint64_t digest_term(BytesView packed_key, BytesView value);

// Secondary indexes; values are empty where nothing else is said.
Bytes by_peer_prefix(const PeerId& peer);             // + CID
Bytes crowded_prefix();                               // + CID; in the same family, before all peers
Bytes by_expiry_key(Time expire_at, const Cid& cid);  // seconds, CID
Bytes by_name_prefix(
    std::string_view name);  // + CID; long names are cut; value: length of the prefix
Cid cid_of_expiry_key(BytesView key);
Time time_of_expiry_key(BytesView key);
Result<PeerId> peer_of_by_peer_key(BytesView key);
// The longest part of a name that the index holds.
inline constexpr size_t kMaxIndexedName = 255;

}  // namespace ica::crdt
