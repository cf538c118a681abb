#include "agent/pinsvc/list_query.h"

#include <charconv>

#include "common/codec/go_quote.h"
#include "common/web/list.h"

namespace ica::pinsvc {
namespace {

Status read_time(const http::Query& query, std::string_view key, Time& out) {
  const std::string_view text = query.get(key);
  if (text.empty()) {
    return {};
  }
  auto time = Time::parse(text);
  if (!time) {
    return fail(Code::InvalidArgument, "error decoding '{}' query param: {}: {}", key, text,
                time.error().message());
  }
  out = *time;
  return {};
}

Status read_limit(const http::Query& query, uint64_t& out) {
  const std::string_view text = query.get("limit");
  if (text.empty()) {
    return {};
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Code::InvalidArgument,
                "error parsing 'limit' query param: {}: strconv.ParseUint: parsing {}: {}", text,
                go_quote(text),
                error == std::errc::result_out_of_range ? "value out of range" : "invalid syntax");
  }
  out = std::min(out, kMaxLimit);
  return {};
}

Status read_cids(std::string_view list, std::vector<Cid>& out) {
  if (list.empty()) {
    return {};
  }
  return web::for_each_of_list(list, [&out](std::string_view text) -> Status {
    auto cid = Cid::parse(text);
    if (!cid) {
      return fail(Code::InvalidArgument, "error decoding cid {}: {}", text, cid.error().message());
    }
    out.push_back(std::move(*cid));
    return {};
  });
}

}  // namespace

bool ListQuery::wants(const std::string& pin_name,
                      const std::map<std::string, std::string>& metadata) const {
  if (!name.empty() && !api::name_matches(pin_name, name, match)) {
    return false;
  }
  for (const auto& [key, value] : meta) {
    const auto found = metadata.find(key);
    // As in the reference, a key that is missing equals an empty value.
    if (found == metadata.end() ? !value.empty() : found->second != value) {
      return false;
    }
  }
  return true;
}

bool ListQuery::wants(Time created) const {
  return (before.is_zero() || created < before) && (after.is_zero() || created > after);
}

Result<ListQuery> read_list_query(const http::Query& query) {
  ListQuery out;
  TRY_VOID(read_cids(query.get("cid"), out.cids));
  out.name = query.get("name");
  if (!api::fits_service_name(out.name)) {
    return fail(Code::InvalidArgument, "error in 'name' query param: longer than 255 chars");
  }
  out.match = api::name_match_from(query.get("match")).value_or(Match::Exact);
  out.name = api::name_to_match(out.name, out.match);
  const std::string_view statuses = query.get("status");
  out.statuses = api::parse_service_statuses(statuses);
  if (!statuses.empty() && out.statuses == 0) {
    return fail(Code::InvalidArgument, "error decoding 'status' query param: no valid filter");
  }
  TRY_VOID(read_time(query, "before", out.before));
  TRY_VOID(read_time(query, "after", out.after));
  TRY_VOID(read_limit(query, out.limit));
  if (const auto meta = query.get("meta"); !meta.empty()) {
    auto read = api::string_map_from_json(meta);
    if (!read) {
      return fail(Code::InvalidArgument, "error unmarshalling 'meta' query param: {}: {}", meta,
                  read.error().message());
    }
    out.meta = std::move(*read);
  }
  return out;
}

}  // namespace ica::pinsvc
