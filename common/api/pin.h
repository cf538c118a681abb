#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/json_writer.h"
#include "common/base/time.h"
#include "common/codec/cid.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"

namespace ica::api {

// Bit values, as in the reference's Go code and msgpack; the protobuf holds the bit's index. Data
// from other peers may hold other values; they are kept.
enum class PinType : uint64_t { Bad = 1, Data = 2, Meta = 4, ClusterDag = 8, Shard = 16 };
// "pin", "meta-pin", "clusterdag-pin", "shard-pin", "bad-type".
std::string_view to_string(PinType type);

// The filter of GET /allocations: a comma list of the names above or "all". Fails with
// "invalid filter value" when every name is unknown. Returns a mask of PinType bits.
Result<uint64_t> parse_pin_type_filter(std::string_view text);

enum class PinMode { Recursive = 0, Direct = 1 };
std::string_view to_string(PinMode mode);

inline constexpr int kMaxDepthRecursive = -1;
inline constexpr int kMaxDepthDirect = 0;

// Lists that Go prints as null when nil and [] when empty: `present` tells the two apart.
template <typename T>
struct NullableList {
  std::vector<T> items;
  bool present = false;
};

struct PinOptions {
  int replication_factor_min = 0;  // 0: the configured default; -1: everywhere
  int replication_factor_max = 0;
  std::string name;
  PinMode mode = PinMode::Recursive;
  uint64_t shard_size = 0;
  NullableList<PeerId> user_allocations;  // never stored
  Time expire_at;                         // zero: never
  std::map<std::string, std::string> metadata;
  bool metadata_present = false;  // {} instead of null when empty
  Cid pin_update;
  NullableList<Multiaddr> origins;
};

// One entry of the cluster's pinset.
struct Pin {
  Cid cid;
  PinType type = PinType::Data;
  NullableList<PeerId> allocations;
  int max_depth = kMaxDepthRecursive;
  Cid reference;
  Time timestamp;
  PinOptions options;

  bool everywhere() const {
    return options.replication_factor_min == -1 && options.replication_factor_max == -1;
  }
  // Whether `peer` has to hold it.
  bool allocated_to(const PeerId& peer) const;
  // The UNIX epoch counts as "never", as in the reference.
  bool expired_at(Time now) const {
    return !options.expire_at.is_zero() && options.expire_at != Time::from_unix(0) &&
           options.expire_at < now;
  }
};

// JSON with the reference's key order. A pin as read back from the state (decode_pin) prints as
// GET /allocations does: metadata null when empty, origins [], user_allocations null.
void write_json(JsonWriter& out, const Pin& pin);
std::string to_json(const Pin& pin);
// Reads what write_json writes, and what `state export` of the reference writes.
Result<Pin> pin_from_json(std::string_view json);

// Whether name and metadata are UTF-8. The reference refuses a pin, and a whole message, with a
// text that is not.
bool has_valid_text(const Pin& pin);
// The state's protobuf value. Encoding is canonical: equal pins give equal bytes. A text that is
// not UTF-8 has U+FFFD where it is not.
Bytes encode_pin(const Pin& pin);
// The CID comes from the key, as in the reference. Unknown fields are skipped.
Result<Pin> decode_pin(const Cid& cid, BytesView value);

// The key of a pin in the CRDT: "/" + unpadded upper-case base32 of the CID's bytes.
std::string state_key(const Cid& cid);
Result<Cid> cid_from_state_key(std::string_view key);

// Fails with the reference's words when the factors make no sense ("cluster.replication_factor_min
// is larger than max", ...).
Status check_replication_factors(int min, int max);

}  // namespace ica::api
