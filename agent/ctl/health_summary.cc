#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/json_scanner.h"
#include "agent/ctl/session.h"
#include "agent/ctl/summary.h"

namespace ica::ctl {
namespace {

// Everything but what is well: its cost does not follow the pinset.
constexpr std::string_view kUnsettled =
    "/pins?local=false&filter=cluster_error,pin_error,unpin_error,pin_queued,unpin_queued,pinning,"
    "unpinning,unexpectedly_unpinned&cids=";

}  // namespace

// Works against any peer of IPFS Cluster; what only ours tell is left out elsewhere.
Task<int> run_health(Session& session, const Invocation&) {
  Summary summary;
  ApiClient& api = session.api();
  const auto peers = co_await api.stream(
      "GET", "/peers", [&summary](std::string_view json) { summary.add_peer(json); });
  if (!peers) {
    co_return session.report(peers.error());
  }
  const auto space = co_await api.call("GET", "/monitor/metrics/freespace");
  if (space && !space->empty()) {
    summary.add_free_space(*space);
  }
  const auto alerts = co_await api.call("GET", "/health/alerts");
  if (alerts && !alerts->empty()) {
    summary.add_alerts(*alerts);
  }
  const auto unsettled =
      co_await api.stream("GET", std::string(kUnsettled),
                          [&summary](std::string_view json) { summary.add_unsettled(json); });
  if (!unsettled) {
    co_return session.report(unsettled.error());
  }
  const auto pinset = co_await api.call("GET", "/health/pinset");
  if (!pinset || !summary.add_pinset(*pinset)) {
    const auto pins = co_await api.stream("GET", "/allocations",
                                          [&summary](std::string_view) { summary.add_pin(); });
    if (!pins) {
      co_return session.report(pins.error());
    }
  }
  const Time now = Time::now();
  Console& console = session.console();
  console.out(session.json() ? indent_json(summary.json(now)) + "\n"
                             : summary.text(now, console.width(), console.colours()));
  co_return summary.healthy(now) ? kExitOk : kExitAttention;
}

}  // namespace ica::ctl
