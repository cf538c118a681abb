#include "common/api/pin.h"

#include <algorithm>

#include "common/codec/multibase.h"
#include "common/codec/url_escape.h"

namespace ica::api {

namespace {

constexpr uint64_t kAllTypes =
    static_cast<uint64_t>(PinType::Data) | static_cast<uint64_t>(PinType::Meta) |
    static_cast<uint64_t>(PinType::ClusterDag) | static_cast<uint64_t>(PinType::Shard);

uint64_t type_bits(std::string_view name) {
  if (name.empty() || name == "all") {
    return kAllTypes;
  }
  for (const PinType type : {PinType::Data, PinType::Meta, PinType::ClusterDag, PinType::Shard}) {
    if (name == to_string(type)) {
      return static_cast<uint64_t>(type);
    }
  }
  return static_cast<uint64_t>(PinType::Bad);
}

}  // namespace

std::string_view to_string(PinType type) {
  switch (type) {
    case PinType::Data:
      return "pin";
    case PinType::Meta:
      return "meta-pin";
    case PinType::ClusterDag:
      return "clusterdag-pin";
    case PinType::Shard:
      return "shard-pin";
    case PinType::Bad:
      break;
  }
  return "bad-type";
}

Result<uint64_t> parse_pin_type_filter(std::string_view text) {
  uint64_t mask = 0;
  while (true) {
    const size_t comma = text.find(',');
    mask |= type_bits(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      break;
    }
    text.remove_prefix(comma + 1);
  }
  if (mask == static_cast<uint64_t>(PinType::Bad)) {
    return fail(Code::InvalidArgument, "invalid filter value");
  }
  return mask;
}

std::string_view to_string(PinMode mode) {
  return mode == PinMode::Direct ? "direct" : "recursive";
}

bool Pin::allocated_to(const PeerId& peer) const {
  return everywhere() || std::find(allocations.items.begin(), allocations.items.end(), peer) !=
                             allocations.items.end();
}

std::string state_key(const Cid& cid) {
  std::string key = "/";
  append_base32_upper(key, cid.bytes());
  return key;
}

Result<Cid> cid_from_state_key(std::string_view key) {
  if (!key.starts_with('/')) {
    return fail(Code::InvalidArgument, "a pin's key must begin with /");
  }
  TRY(const Bytes bytes, base32_decode(key.substr(1)));
  return Cid::from_bytes(bytes);
}

Status check_replication_factors(int min, int max) {
  const auto wrong = [](std::string_view why) { return fail(Code::InvalidArgument, "{}", why); };
  if (min == 0 || max == 0) {
    return wrong("cluster.replication_factor_min and max must be set");
  }
  if (min > max) {
    return wrong("cluster.replication_factor_min is larger than max");
  }
  if (min < -1) {
    return wrong("cluster.replication_factor_min is wrong");
  }
  if (max < -1) {
    return wrong("cluster.replication_factor_max is wrong");
  }
  if ((min == -1) != (max == -1)) {
    return wrong("cluster.replication_factor_min and max must be -1 when one of them is");
  }
  return {};
}

}  // namespace ica::api
