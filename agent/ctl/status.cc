#include "common/api/status.h"

#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/pin_request.h"
#include "agent/ctl/session.h"
#include "agent/ctl/text.h"

namespace ica::ctl {
namespace {

// Names for the bits of a filter. The reference also writes every composite name that shares a bit,
// so that its "pin_error,pinned" asks for all errors; the bits alone ask for what was meant.
std::string filter_names(api::StatusFilter filter) {
  using enum api::TrackerStatus;
  const auto bits = [](auto... status) { return (static_cast<api::StatusFilter>(status) | ...); };
  if (filter == bits(ClusterError, PinError, UnpinError)) {
    return "error";
  }
  if (filter == bits(PinQueued, UnpinQueued)) {
    return "queued";
  }
  std::string out;
  for (const auto status :
       {ClusterError, PinError, UnpinError, Pinned, Pinning, Unpinning, Unpinned, Remote, PinQueued,
        UnpinQueued, Sharded, UnexpectedlyUnpinned}) {
    if ((filter & bits(status)) != 0) {
      out += fmt::format("{}{}", out.empty() ? "" : ",", api::to_string(status));
    }
  }
  return out;
}

}  // namespace

Task<int> run_status(Session& session, const Invocation& line) {
  std::vector<std::string> cids;
  for (const std::string& arg : line.args) {
    const auto cid = parse_cid(arg);
    if (!cid) {
      co_return session.fail("parsing cid", cid.error().message());
    }
    cids.push_back(cid->text());
  }
  const bool local = line.flags.on("local");
  const bool verbose = line.flags.on("verbose");
  const std::string_view more = verbose ? "&verbose=true" : "";
  const auto text = verbose ? format_verbose_pin_info : format_global_pin_info;
  if (cids.size() == 1) {
    const auto answer = co_await session.api().call(
        "GET", fmt::format("/pins/{}?local={}{}", cids[0], local, more));
    co_return session.finish(answer, text);
  }
  std::string filter;
  if (const std::string& given = line.flags.text("filter"); cids.empty() && !given.empty()) {
    const auto parsed = api::parse_status_filter(given);
    if (!parsed || *parsed == 0) {
      co_return session.fail("parsing filter flag", "invalid filter name");
    }
    filter = filter_names(*parsed);
  }
  co_return co_await session.show_stream(
      "GET",
      fmt::format("/pins?local={}&filter={}&cids={}{}", local, query_escape(filter),
                  fmt::join(cids, ","), more),
      text);
}

Task<int> run_recover(Session& session, const Invocation& line) {
  const bool local = line.flags.on("local");
  if (line.arg(0).empty()) {
    co_return co_await session.show_stream("POST", fmt::format("/pins/recover?local={}", local),
                                           format_global_pin_info);
  }
  const auto cid = parse_cid(line.arg(0));
  if (!cid) {
    co_return session.fail("parsing cid", cid.error().message());
  }
  const auto answer = co_await session.api().call(
      "POST", fmt::format("/pins/{}/recover?local={}", cid->text(), local));
  co_return session.finish(answer, format_global_pin_info);
}

}  // namespace ica::ctl
