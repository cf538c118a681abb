#include <cerrno>
#include <fmt/format.h>
#include <fstream>

#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/graph.h"
#include "agent/ctl/session.h"
#include "agent/ctl/text.h"
#include "common/base/system_words.h"

namespace ica::ctl {
namespace {

std::string metrics_now(std::string_view json) {
  return format_metrics(json, Time::now());
}
std::string alerts_now(std::string_view json) {
  return format_alerts(json, Time::now());
}

}  // namespace

Task<int> run_health_graph(Session& session, const Invocation& line) {
  const auto answer = co_await session.api().call("GET", "/health/graph");
  if (!answer) {
    co_return session.report(answer.error());
  }
  const std::string dot = make_dot(*answer, line.flags.on("all-ipfs-peers"));
  const std::string& file = line.flags.text("file");
  if (file.empty()) {
    session.console().out(dot);
    co_return kExitOk;
  }
  errno = 0;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  if (!out) {
    co_return session.fail("creating output file",
                           fmt::format("open {}: {}", file, system_words(errno)));
  }
  out << dot;
  if (!out.flush()) {
    co_return session.fail("printing graph",
                           fmt::format("write {}: {}", file, system_words(errno)));
  }
  co_return kExitOk;
}

Task<int> run_health_metrics(Session& session, const Invocation& line) {
  const std::string_view name = line.arg(0);
  if (name.empty()) {
    const auto names = co_await session.api().call("GET", "/monitor/metrics");
    co_return session.finish(names, format_metric_names);
  }
  const auto metrics = co_await session.api().call("GET", "/monitor/metrics/" + path_escape(name));
  co_return session.finish(metrics, metrics_now);
}

Task<int> run_health_alerts(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/health/alerts");
  co_return session.finish(answer, alerts_now);
}

Task<int> run_health_bandwidth(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/health/bandwidth");
  co_return session.finish(answer, format_bandwidth);
}

Task<int> run_health_digest(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/health/pinset");
  co_return session.finish(answer, format_pinsets);
}

Task<int> run_ipfs_gc(Session& session, const Invocation& line) {
  const auto answer =
      co_await session.api().call("POST", fmt::format("/ipfs/gc?local={}", line.flags.on("local")));
  co_return session.finish(answer, format_repo_gc);
}

}  // namespace ica::ctl
