#include "common/web/pin_query.h"

#include <charconv>
#include <limits>

#include "common/web/list.h"

namespace ica::web {
namespace {

constexpr std::string_view kMeta = "meta-";

// Decimal digits with an optional sign; nothing else, and no overflow.
template <typename T>
bool parse_number(std::string_view text, T& out) {
  if (std::numeric_limits<T>::is_signed && text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) {
      return false;
    }
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Status read_replication(const http::Query& query, api::PinOptions& out) {
  if (!query.get("replication").empty()) {
    const Status read = read_int(query, "replication", out.replication_factor_min);
    if (!read) {
      return fail(Code::InvalidArgument, "parameter replication-min invalid");
    }
    out.replication_factor_max = out.replication_factor_min;
    return {};
  }
  TRY_VOID(read_int(query, "replication-min", out.replication_factor_min));
  return read_int(query, "replication-max", out.replication_factor_max);
}

Status read_expiry(const http::Query& query, Time now, api::PinOptions& out) {
  if (const auto at = query.get("expire-at"); !at.empty()) {
    auto parsed = Time::parse(at);
    if (!parsed) {
      return fail(Code::InvalidArgument, "expire-at cannot be parsed: {}",
                  parsed.error().message());
    }
    out.expire_at = *parsed;
  } else if (const auto in = query.get("expire-in"); !in.empty()) {
    auto parsed = parse_duration(in);
    if (!parsed) {
      return fail(Code::InvalidArgument, "expire-in cannot be parsed: {}",
                  parsed.error().message());
    }
    if (*parsed < std::chrono::seconds(1)) {
      return fail(Code::InvalidArgument, "expire-in duration too short");
    }
    out.expire_at = now.plus(*parsed);
  }
  return {};
}

Status read_origins(const http::Query& query, api::PinOptions& out) {
  const auto list = query.get("origins");
  if (list.empty()) {
    return {};
  }
  std::vector<Multiaddr> origins;
  TRY_VOID(for_each_of_list(list, [&origins](std::string_view text) -> Status {
    auto address = Multiaddr::parse(text);
    if (!address) {
      return fail(Code::InvalidArgument, "error decoding multiaddress: {}",
                  address.error().message());
    }
    if (!address->peer_id()) {
      return fail(Code::InvalidArgument,
                  "multiaddress does not contain peer ID: protocol not found in multiaddr");
    }
    origins.push_back(std::move(*address));
    return {};
  }));
  out.origins = {std::move(origins), true};
  return {};
}

}  // namespace

Status read_int(const http::Query& query, std::string_view key, int& out) {
  const auto text = query.get(key);
  if (text.empty()) {
    return {};
  }
  int value = 0;
  if (!parse_number(text, value)) {
    return fail(Code::InvalidArgument, "parameter {} invalid", key);
  }
  out = value;
  return {};
}

Status read_pin_options(const http::Query& query, Time now, api::PinOptions& out) {
  out.name = query.get("name");
  out.mode = query.get("mode") == "direct" ? api::PinMode::Direct : api::PinMode::Recursive;
  TRY_VOID(read_replication(query, out));
  if (const auto size = query.get("shard-size"); !size.empty()) {
    uint64_t value = 0;
    if (!parse_number(size, value)) {
      return fail(Code::InvalidArgument, "parameter shard_size is invalid");
    }
    out.shard_size = value;
  }
  if (const auto list = query.get("user-allocations"); !list.empty()) {
    out.user_allocations.present = true;
    TRY_VOID(for_each_of_list(list, [&out](std::string_view text) -> Status {
      if (auto peer = PeerId::parse(text)) {
        out.user_allocations.items.push_back(std::move(*peer));
      }
      return {};  // the reference drops what it cannot read
    }));
  }
  TRY_VOID(read_expiry(query, now, out));
  out.metadata_present = true;
  for (const auto& [key, value] : query.pairs()) {
    if (key.size() > kMeta.size() && key.starts_with(kMeta)) {
      out.metadata.emplace(key.substr(kMeta.size()), value);  // the first one wins
    }
  }
  if (const auto from = query.get("pin-update"); !from.empty()) {
    auto cid = Cid::parse(from);
    if (!cid) {
      return fail(Code::InvalidArgument, "error decoding update option parameter: {}",
                  cid.error().message());
    }
    out.pin_update = std::move(*cid);
  }
  return read_origins(query, out);
}

}  // namespace ica::web
