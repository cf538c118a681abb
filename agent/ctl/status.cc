#include "common/api/status.h"

#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/pin_request.h"
#include "agent/ctl/session.h"
#include "agent/ctl/style.h"
#include "agent/ctl/text.h"
#include "common/base/async.h"

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

constexpr Duration kWatchPause = std::chrono::seconds(2);
constexpr std::string_view kMoving = "pin_queued,pinning,unpin_queued,unpinning";
constexpr std::string_view kWrong = "cluster_error,pin_error,unpin_error,unexpectedly_unpinned";

// What one look at the cluster found.
struct Look {
  uint64_t moving = 0;
  uint64_t wrong = 0;
  std::string text;
  // A screen that nobody can read is no help; the rest is counted.
  static constexpr size_t kMaxText = 16 << 10;

  void add(std::string_view document) {
    bool moves = false, fails = false;
    for (const std::string& status : peer_statuses(document)) {
      moves = moves || (status.ends_with("queued") || status.ends_with("ing"));
      fails = fails || status.ends_with("_error") || status == "unexpectedly_unpinned";
    }
    moving += moves ? 1 : 0;
    wrong += fails ? 1 : 0;
    if (text.size() < kMaxText) {
      text += format_global_pin_info(document);
    }
  }
};

// Items that move or went wrong, or those that were asked for, until none of them moves any more.
Task<int> watch_status(Session& session, const Invocation& line) {
  std::vector<std::string> cids;
  for (const std::string& arg : line.args) {
    const auto cid = parse_cid(arg);
    if (!cid) {
      co_return session.fail("parsing cid", cid.error().message());
    }
    cids.push_back(cid->text());
  }
  const std::string filter = cids.empty() ? fmt::format("{},{}", kMoving, kWrong) : "";
  const std::string path = fmt::format("/pins?local={}&filter={}&cids={}", line.flags.on("local"),
                                       query_escape(filter), fmt::join(cids, ","));
  Console& console = session.console();
  while (console.writable()) {
    Look look;
    const auto answer = co_await session.api().stream(
        "GET", path, [&look](std::string_view document) { look.add(document); });
    if (!answer) {
      co_return session.report(answer.error());
    }
    console.clear_screen();
    console.out(fmt::format("{}  in progress: {}  in error: {}\n", date_time(Time::now().local()),
                            look.moving, look.wrong));
    console.out(console.colours() ? colour_statuses(look.text) : look.text);
    console.flush();
    if (look.moving == 0) {
      co_return look.wrong == 0 ? kExitOk : kExitAttention;
    }
    const Status slept = co_await sleep_for(kWatchPause);
    static_cast<void>(slept);
  }
  co_return kExitFailed;
}

}  // namespace

Task<int> run_status(Session& session, const Invocation& line) {
  if (line.flags.on("watch")) {
    co_return co_await watch_status(session, line);
  }
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
