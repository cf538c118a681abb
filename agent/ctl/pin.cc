#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/pin_request.h"
#include "agent/ctl/session.h"
#include "agent/ctl/text.h"
#include "agent/ctl/wait.h"
#include "common/base/async.h"

namespace ica::ctl {
namespace {

// After a pin or unpin that was accepted: wait when asked to, then show the pin or its status.
Task<int> show_outcome(Session& session, const FlagValues& flags, std::string pin,
                       std::string target) {
  const std::string cid = json_text(pin, "cid");
  std::string status;
  if (flags.on("wait")) {
    const int64_t limit = flags.given("wait-limit") ? flags.number("wait-limit")
                          : target == "pinned"      ? json_number(pin, "replication_factor_min")
                                                    : 0;
    WaitOutcome waited =
        co_await wait_for(session, cid, target, flags.duration("wait-timeout"), limit);
    if (waited.exit != kExitOk) {
      co_return waited.exit;
    }
    status = std::move(waited.status);
  }
  if (flags.on("no-status")) {
    session.show(pin, format_pin);
    co_return kExitOk;
  }
  if (!json_text(status, "cid").empty()) {
    session.show(status, format_global_pin_info);
    co_return kExitOk;
  }
  // The peers need a moment before their status says something.
  (void)co_await sleep_for(std::chrono::seconds(1));
  const auto answer = co_await session.api().call("GET", fmt::format("/pins/{}?local=false", cid));
  co_return session.finish(answer, format_global_pin_info);
}

Task<int> send_pin(Session& session, const FlagValues& flags, std::string method,
                   std::string argument, std::string query, std::string target) {
  const auto path = content_path(argument);
  if (!path) {
    co_return session.fail("", path.error().message());
  }
  const auto answer = co_await session.api().call(
      std::move(method), fmt::format("/pins{}{}", path_escape(*path), query));
  if (!answer) {
    co_return session.report(answer.error());
  }
  co_return co_await show_outcome(session, flags, *answer, std::move(target));
}

// `status`, an error that reads on after "error ".
int told(Session& session, const Status& status) {
  session.console().err(fmt::format("error {}\n", status.error().message()));
  return kExitFailed;
}

std::string query_of(const PinParameters& parameters) {
  Query query;
  parameters.write_to(query);
  return "?" + query.text();
}

Status read_pin_add(const FlagValues& flags, PinParameters& out) {
  const int64_t both = flags.number("replication");
  out.replication_min = both != 0 ? both : flags.number("replication-min");
  out.replication_max = both != 0 ? both : flags.number("replication-max");
  out.name = flags.text("name");
  out.mode = flags.text("mode") == "direct" ? "direct" : "recursive";
  TRY_VOID(read_allocations(flags, false, out));
  TRY_VOID(read_expiry(flags, out));
  return read_metadata(flags, out);
}

}  // namespace

Task<int> run_pin_add(Session& session, const Invocation& line) {
  PinParameters parameters;
  if (const Status read = read_pin_add(line.flags, parameters); !read) {
    co_return told(session, read);
  }
  co_return co_await send_pin(session, line.flags, "POST", std::string(line.arg(0)),
                              query_of(parameters), "pinned");
}

Task<int> run_pin_rm(Session& session, const Invocation& line) {
  co_return co_await send_pin(session, line.flags, "DELETE", std::string(line.arg(0)), "",
                              "unpinned");
}

Task<int> run_pin_update(Session& session, const Invocation& line) {
  const auto from = parse_cid(line.arg(0));
  if (!from) {
    co_return session.fail("parsing from Cid", from.error().message());
  }
  PinParameters parameters;
  parameters.pin_update = from->text();
  parameters.name = line.flags.text("name");
  if (const Status read = read_expiry(line.flags, parameters); !read) {
    co_return told(session, read);
  }
  co_return co_await send_pin(session, line.flags, "POST", std::string(line.arg(1)),
                              query_of(parameters), "pinned");
}

Task<int> run_pin_ls(Session& session, const Invocation& line) {
  if (!line.arg(0).empty()) {
    const auto cid = parse_cid(line.arg(0));
    if (!cid) {
      co_return session.fail("parsing cid", cid.error().message());
    }
    const auto answer = co_await session.api().call("GET", "/allocations/" + cid->text());
    co_return session.finish(answer, format_pin);
  }
  // Unknown names are dropped, as the reference does; when none is left everything is listed.
  static constexpr std::string_view kTypes[] = {"pin", "meta-pin", "clusterdag-pin", "shard-pin"};
  const std::string given = "," + line.flags.text("filter") + ",";
  std::string filter;
  const bool all =
      given.find(",,") != std::string::npos || given.find(",all,") != std::string::npos;
  size_t known = 0;
  for (const std::string_view type : kTypes) {
    if (given.find(fmt::format(",{},", type)) != std::string::npos) {
      filter += fmt::format("{}{}", filter.empty() ? "" : ",", type);
      ++known;
    }
  }
  if (all || known == std::size(kTypes)) {
    filter = "all";
  }
  // Named, because GCC 12 destroys a temporary of a conditional inside co_await twice.
  std::string path = "/allocations?filter=" + query_escape(filter);
  co_return co_await session.show_stream("GET", std::move(path), format_pin);
}

}  // namespace ica::ctl
