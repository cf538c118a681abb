#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "common/api/pin.h"
#include "common/codec/pbwire.h"
#include "common/codec/utf8.h"

namespace ica::api {

namespace {

namespace field {
constexpr uint32_t kCid = 1;
constexpr uint32_t kType = 2;
constexpr uint32_t kAllocations = 3;
constexpr uint32_t kMaxDepth = 4;
constexpr uint32_t kReference = 5;
constexpr uint32_t kOptions = 6;
constexpr uint32_t kTimestamp = 7;
}  // namespace field

namespace option {
constexpr uint32_t kReplicationMin = 1;
constexpr uint32_t kReplicationMax = 2;
constexpr uint32_t kName = 3;
constexpr uint32_t kShardSize = 4;
constexpr uint32_t kOldMetadata = 6;
constexpr uint32_t kPinUpdate = 7;
constexpr uint32_t kExpireAt = 8;
constexpr uint32_t kOrigins = 9;
constexpr uint32_t kMetadata = 10;
}  // namespace option

constexpr uint32_t kKey = 1;
constexpr uint32_t kValue = 2;

// What RFC 3339 can write: the years 0 to 9999. A moment outside can only be damage or malice, and
// the reference could not print the pin at all.
constexpr int64_t kFirstSecond = -62'167'219'200;
constexpr int64_t kLastSecond = 253'402'300'799;

int64_t printable(int64_t seconds) {
  return std::clamp(seconds, kFirstSecond, kLastSecond);
}

// Bit value to bit index, as the reference counts: 0 for anything below 2.
uint64_t type_index(PinType type) {
  const auto bits = static_cast<uint64_t>(type);
  return bits == 0 ? 0 : static_cast<uint64_t>(std::bit_width(bits) - 1);
}

// 0 stands for "none", which the reference also makes of the epoch and of year 1.
uint64_t stored_seconds(const Time& time) {
  if (time.unix_seconds() == Time().unix_seconds()) {
    return 0;
  }
  return static_cast<uint64_t>(printable(time.unix_seconds()));
}

Time read_seconds(uint64_t seconds) {
  if (seconds == 0) {
    return Time();
  }
  // Moments before 1970 are stored as two's complement.
  return Time::from_unix(printable(static_cast<int64_t>(seconds))).local();
}

// The reference refuses a message with a string that is not UTF-8, so one must never leave us.
void put_string(PbWriter& out, uint32_t number, const std::string& text) {
  if (text.empty()) {
    return;
  }
  if (valid_utf8(text)) {
    out.bytes(number, text);
  } else {
    out.bytes(number, to_valid_utf8(text));
  }
}

void put_options(PbWriter& out, const PinOptions& o) {
  // int32 in the format.
  out.zigzag_or_skip(option::kReplicationMin, static_cast<int32_t>(o.replication_factor_min));
  out.zigzag_or_skip(option::kReplicationMax, static_cast<int32_t>(o.replication_factor_max));
  put_string(out, option::kName, o.name);
  out.varint_or_skip(option::kShardSize, o.shard_size);
  out.bytes_or_skip(option::kPinUpdate, o.pin_update.bytes());
  out.varint_or_skip(option::kExpireAt, stored_seconds(o.expire_at));
  for (const Multiaddr& origin : o.origins.items) {
    out.bytes(option::kOrigins, origin.bytes());
  }
  // A std::map walks its keys in the order that the format wants.
  for (const auto& [key, value] : o.metadata) {
    out.message(option::kMetadata, [&](PbWriter& entry) {
      put_string(entry, kKey, key);
      put_string(entry, kValue, value);
    });
  }
}

class Decoder {
 public:
  explicit Decoder(Pin& pin) : pin_(pin) {}

  Status run(BytesView message) {
    PbReader in(message);
    while (in.next()) {
      switch (in.field()) {
        case field::kType: {
          const uint64_t index = in.varint();
          pin_.type = static_cast<PinType>(index < 64 ? 1ULL << index : 0);
          break;
        }
        case field::kAllocations: {
          auto peer = PeerId::from_bytes(in.bytes());
          if (!peer.has_value()) {
            return fail(peer.error());
          }
          pin_.allocations.items.push_back(std::move(*peer));
          break;
        }
        case field::kMaxDepth:
          pin_.max_depth = static_cast<int32_t>(in.zigzag());
          break;
        case field::kReference:
          pin_.reference = optional_cid(in.bytes());
          break;
        case field::kOptions:
          TRY_VOID(options(in.bytes()));
          break;
        case field::kTimestamp:
          pin_.timestamp = read_seconds(in.varint());
          break;
        default:
          break;  // the CID (it comes from the key) and what newer versions may add
      }
    }
    TRY_VOID(in.status());
    finish();
    return {};
  }

 private:
  // The reference takes a CID that it cannot read as an absent one.
  static Cid optional_cid(BytesView bytes) {
    if (bytes.empty()) {
      return {};
    }
    auto cid = Cid::from_bytes(bytes);
    return cid.has_value() ? std::move(*cid) : Cid();
  }

  static Status text(BytesView bytes, std::string& out) {
    if (!valid_utf8(bytes)) {
      return fail(Code::InvalidArgument, "string field contains invalid UTF-8");
    }
    out.assign(bytes);
    return {};
  }

  Status entry(BytesView message, std::string& key, std::string& value) {
    PbReader in(message);
    while (in.next()) {
      if (in.field() == kKey) {
        TRY_VOID(text(in.bytes(), key));
      } else if (in.field() == kValue) {
        TRY_VOID(text(in.bytes(), value));
      }
    }
    return in.status();
  }

  Status options(BytesView message) {
    PinOptions& o = pin_.options;
    PbReader in(message);
    while (in.next()) {
      switch (in.field()) {
        case option::kReplicationMin:
          o.replication_factor_min = static_cast<int32_t>(in.zigzag());
          break;
        case option::kReplicationMax:
          o.replication_factor_max = static_cast<int32_t>(in.zigzag());
          break;
        case option::kName:
          TRY_VOID(text(in.bytes(), o.name));
          break;
        case option::kShardSize:
          o.shard_size = in.varint();
          break;
        case option::kOldMetadata: {
          std::string key;
          std::string value;
          TRY_VOID(entry(in.bytes(), key, value));
          old_metadata_[std::move(key)] = std::move(value);
          break;
        }
        case option::kPinUpdate:
          o.pin_update = optional_cid(in.bytes());
          break;
        case option::kExpireAt:
          o.expire_at = read_seconds(in.varint());
          break;
        case option::kOrigins: {
          auto origin = Multiaddr::from_bytes(in.bytes());
          if (!origin.has_value()) {
            return fail(origin.error());
          }
          o.origins.items.push_back(std::move(*origin));
          break;
        }
        case option::kMetadata: {
          std::string key;
          std::string value;
          TRY_VOID(entry(in.bytes(), key, value));
          o.metadata[std::move(key)] = std::move(value);
          break;
        }
        default:
          break;
      }
    }
    return in.status();
  }

  // What the format does not say outright.
  void finish() {
    PinOptions& o = pin_.options;
    o.metadata.merge(old_metadata_);  // keeps the newer form's value of a key that is in both
    o.metadata_present = !o.metadata.empty();
    o.mode = pin_.max_depth == kMaxDepthDirect ? PinMode::Direct : PinMode::Recursive;
    o.origins.present = true;
    pin_.allocations.present = true;
  }

  Pin& pin_;
  std::map<std::string, std::string> old_metadata_;
};

}  // namespace

bool has_valid_text(const Pin& pin) {
  const auto& metadata = pin.options.metadata;
  return valid_utf8(pin.options.name) &&
         std::all_of(metadata.begin(), metadata.end(), [](const auto& entry) {
           return valid_utf8(entry.first) && valid_utf8(entry.second);
         });
}

Bytes encode_pin(const Pin& pin) {
  Bytes out;
  out.reserve(96 + pin.allocations.items.size() * 40 + pin.options.name.size());
  PbWriter w(out);
  w.bytes_or_skip(field::kCid, pin.cid.bytes());
  w.varint_or_skip(field::kType, type_index(pin.type));
  for (const PeerId& peer : pin.allocations.items) {
    w.bytes(field::kAllocations, peer.bytes());
  }
  w.zigzag_or_skip(field::kMaxDepth, static_cast<int32_t>(pin.max_depth));
  w.bytes_or_skip(field::kReference, pin.reference.bytes());
  w.message(field::kOptions, [&](PbWriter& o) { put_options(o, pin.options); });
  w.varint_or_skip(field::kTimestamp, stored_seconds(pin.timestamp));
  return out;
}

Result<Pin> decode_pin(const Cid& cid, BytesView value) {
  Pin pin;
  pin.cid = cid;
  pin.type = PinType::Bad;
  pin.max_depth = 0;
  if (Status read = Decoder(pin).run(value); !read.has_value()) {
    return fail(std::move(read).error());
  }
  return pin;
}

}  // namespace ica::api
