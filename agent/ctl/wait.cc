#include "agent/ctl/wait.h"

#include <algorithm>
#include <fmt/format.h>

#include "agent/ctl/format.h"
#include "common/base/async.h"

namespace ica::ctl {
namespace {
constexpr Duration kInterval = std::chrono::seconds(1);
constexpr std::string_view kDoing = "waiting for pin status";
}  // namespace

Progress progress_of(std::string_view global_pin_info, std::string_view target, int64_t limit) {
  const auto statuses = peer_statuses(global_pin_info);
  int64_t there = 0;
  int64_t fine = 0;
  for (const std::string& status : statuses) {
    if (status.empty() || status == "undefined" || status == "cluster_error" ||
        status == "pin_error" || status == "unpin_error") {
      return Progress::Failed;
    }
    there += status == target ? 1 : 0;
    fine += status == target || (status == "remote" && target == "pinned") ? 1 : 0;
  }
  const auto peers = static_cast<int64_t>(statuses.size());
  limit = std::min(limit, peers);
  return (limit > 0 ? there >= limit : fine == peers) ? Progress::Reached : Progress::Waiting;
}

Task<WaitOutcome> wait_for(Session& session, std::string cid, std::string target, Duration timeout,
                           int64_t limit) {
  using SteadyClock = std::chrono::steady_clock;
  const bool bounded = timeout > kInterval;
  const auto deadline = SteadyClock::now() + (bounded ? timeout : Duration{});
  const auto left = [&] { return Duration(deadline - SteadyClock::now()); };
  WaitOutcome out;
  session.console().flush();
  for (;;) {
    (void)co_await sleep_for(bounded ? std::clamp(left(), Duration{}, kInterval) : kInterval);
    if (bounded && left() <= Duration{}) {
      out.exit = session.fail(kDoing, "context deadline exceeded", kExitTimedOut);
      co_return out;
    }
    const auto answer = co_await session.api().call("GET", fmt::format("/pins/{}?local=false", cid),
                                                    bounded ? left() : Duration{});
    if (!answer) {
      const bool late = bounded && left() <= Duration{};
      out.exit = late ? session.fail(kDoing, "context deadline exceeded", kExitTimedOut)
                      : session.fail(kDoing, fmt::format("{} ({})", answer.error().message,
                                                         answer.error().code));
      co_return out;
    }
    out.status = *answer;
    switch (progress_of(out.status, target, limit)) {
      case Progress::Reached:
        co_return out;
      case Progress::Failed:
        out.exit = session.fail(
            kDoing, fmt::format("error has occurred while attempting to reach status: {}", target));
        co_return out;
      case Progress::Waiting:
        break;
    }
  }
}

}  // namespace ica::ctl
