#include "agent/pinsvc/list_query.h"

#include <charconv>

#include "common/codec/go_quote.h"
#include "common/codec/utf8.h"

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
  // Between and after commas there must be one.
  for (bool more = !list.empty(); more;) {
    const size_t comma = list.find(',');
    more = comma != std::string_view::npos;
    const std::string_view text = list.substr(0, comma);
    auto cid = Cid::parse(text);
    if (!cid) {
      return fail(Code::InvalidArgument, "error decoding cid {}: {}", text, cid.error().message());
    }
    out.push_back(std::move(*cid));
    list.remove_prefix(more ? comma + 1 : list.size());
  }
  return {};
}

Match match_of(std::string_view text) {
  if (text == "iexact") {
    return Match::Iexact;
  }
  if (text == "partial") {
    return Match::Partial;
  }
  return text == "ipartial" ? Match::Ipartial : Match::Exact;
}

bool name_matches(const std::string& name, const std::string& wanted, Match match) {
  switch (match) {
    case Match::Exact:
      return name == wanted;
    case Match::Iexact:
      return utf8_lower(name) == utf8_lower(wanted);
    case Match::Partial:
      return name.find(wanted) != std::string::npos;
    case Match::Ipartial:
      return utf8_lower(name).find(utf8_lower(wanted)) != std::string::npos;
  }
  return false;
}

}  // namespace

bool ListQuery::wants(const std::string& pin_name,
                      const std::map<std::string, std::string>& metadata) const {
  if (!name.empty() && !name_matches(pin_name, name, match)) {
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
  out.match = match_of(query.get("match"));
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
