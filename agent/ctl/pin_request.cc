#include "agent/ctl/pin_request.h"

#include <fmt/format.h>

#include "agent/ctl/text.h"
#include "common/codec/go_quote.h"
#include "common/codec/peer_id.h"

namespace ica::ctl {
namespace {

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

Result<std::string> checked_path(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::InvalidArgument, "invalid path {}: {}", go_quote(text), why);
  };
  const std::string cleaned = clean_path(text);
  const std::string_view rest = std::string_view(cleaned).substr(1);
  const size_t slash = rest.find('/');
  if (!text.starts_with('/') || slash == std::string_view::npos) {
    return bad("path does not have enough components");
  }
  const std::string_view space = rest.substr(0, slash);
  std::string_view root = rest.substr(slash + 1);
  root = root.substr(0, root.find('/'));
  if (space == "ipfs" || space == "ipld") {
    if (const auto cid = parse_cid(root); !cid) {
      return bad(cid.error().message());
    }
  } else if (space != "ipns") {
    return bad(fmt::format("unknown namespace: {}", go_quote(space)));
  }
  return text.ends_with('/') ? cleaned + '/' : cleaned;
}

}  // namespace

std::string Query::text() const {
  std::string out;
  for (const auto& [key, value] : values_) {
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", query_escape(key), query_escape(value));
  }
  return out;
}

Result<Cid> parse_cid(std::string_view text) {
  return Cid::parse(text);
}

Result<std::string> content_path(std::string_view argument) {
  if (auto path = checked_path(argument)) {
    return path;
  }
  return checked_path("/ipfs/" + std::string(argument));
}

void PinParameters::write_to(Query& query) const {
  query.set("replication-min", std::to_string(replication_min));
  query.set("replication-max", std::to_string(replication_max));
  query.set("name", name);
  query.set("mode", mode);
  query.set("shard-size", std::to_string(shard_size));
  query.set("user-allocations", fmt::format("{}", fmt::join(allocations, ",")));
  if (!expire_at.is_zero()) {
    query.set("expire-at", expire_at.rfc3339());
  }
  for (const auto& [key, value] : metadata) {
    if (!key.empty()) {
      query.set("meta-" + key, value);
    }
  }
  if (!pin_update.empty()) {
    query.set("pin-update", pin_update);
  }
}

Status read_expiry(const FlagValues& flags, PinParameters& out) {
  if (const std::string& text = flags.text("expire-in"); !text.empty()) {
    TRY(const auto duration, parse_duration(text).context("parsing expire-in"));
    out.expire_at = Time::now().utc().plus(duration);
  }
  return {};
}

Status read_metadata(const FlagValues& flags, PinParameters& out) {
  for (const std::string& pair : flags.list("metadata")) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return fail(Code::InvalidArgument,
                  "parsing metadata: metadata were not in the format key=value");
    }
    out.metadata[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return {};
}

Status read_allocations(const FlagValues& flags, bool lenient, PinParameters& out) {
  std::string_view rest = flags.text("allocations");
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const auto peer = PeerId::parse(trim(rest.substr(0, comma)));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    if (peer) {
      out.allocations.push_back(peer->text());
    } else if (!lenient) {
      return fail(Code::InvalidArgument,
                  "decoding allocations: some peer IDs could not be decoded");
    }
  }
  return {};
}

}  // namespace ica::ctl
