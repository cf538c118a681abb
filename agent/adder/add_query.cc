#include "agent/adder/add_query.h"

#include <algorithm>
#include <array>

#include "common/base/ascii.h"
#include "common/web/pin_query.h"

namespace ica::adder {
namespace {

// As Go's strconv.ParseBool.
Status read_bool(const http::Query& query, std::string_view key, bool& out) {
  static constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "TRUE", "true", "True"};
  static constexpr std::array<std::string_view, 6> kFalse = {"0",     "f",     "F",
                                                             "FALSE", "false", "False"};
  const std::string_view text = query.get(key);
  if (text.empty()) {
    return {};
  }
  const bool yes = std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end();
  if (!yes && std::find(kFalse.begin(), kFalse.end(), text) == kFalse.end()) {
    return fail(Code::InvalidArgument, "parameter {} invalid", key);
  }
  out = yes;
  return {};
}

}  // namespace

Result<AddRequest> read_add_query(const http::Query& query, Time now) {
  AddRequest out;
  AddOptions& options = out.options;
  TRY_VOID(web::read_pin_options(query, now, options.pin));
  options.pin.mode = api::PinMode::Recursive;
  options.pin.pin_update = Cid();

  const auto layout = query.get("layout");
  if (layout == "trickle") {
    options.layout = Layout::Trickle;
  } else if (!layout.empty() && layout != "balanced") {
    return fail(Code::InvalidArgument, "layout parameter is invalid");
  }
  if (const auto chunker = query.get("chunker"); !chunker.empty()) {
    options.chunker = chunker;
  }
  if (const auto hash = query.get("hash"); !hash.empty()) {
    options.hash = ascii_lower(hash);
  }
  const auto format = query.get("format");
  if (format == "car") {
    options.format = Format::Car;
  } else if (!format.empty() && format != "unixfs") {
    return fail(Code::InvalidArgument, "format parameter is invalid");
  }
  bool checked_only = false;  // has no effect on the server, and is refused when malformed
  TRY_VOID(read_bool(query, "local", options.local));
  TRY_VOID(read_bool(query, "recursive", checked_only));
  TRY_VOID(read_bool(query, "hidden", checked_only));
  TRY_VOID(read_bool(query, "wrap-with-directory", options.wrap_with_directory));
  TRY_VOID(read_bool(query, "shard", options.shard));
  TRY_VOID(read_bool(query, "progress", options.progress));
  TRY_VOID(web::read_int(query, "cid-version", options.cid_version));
  options.raw_leaves = options.cid_version > 0;
  TRY_VOID(read_bool(query, "raw-leaves", options.raw_leaves));
  TRY_VOID(read_bool(query, "stream-channels", out.stream));
  TRY_VOID(read_bool(query, "nocopy", options.no_copy));
  TRY_VOID(read_bool(query, "no-pin", options.no_pin));
  return out;
}

}  // namespace ica::adder
