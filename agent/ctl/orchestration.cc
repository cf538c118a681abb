// repin, drain, cordon: commands that the reference's client does not have.
#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/find_peer.h"
#include "agent/ctl/json_fields.h"
#include "agent/ctl/session.h"
#include "common/base/async.h"

namespace ica::ctl {
namespace {

constexpr Duration kPollDrain = std::chrono::seconds(1);

std::string format_repin(std::string_view document) {
  const Json json = read_object(document);
  std::string out = fmt::format("Re-replication: {}, grace {}, {} of {} peers in sight{}\n",
                                flag_of(json, "enabled") ? "on" : "off", text_of(json, "grace"),
                                number_of(json, "peers_alive"), number_of(json, "peers_known"),
                                flag_of(json, "cut_off") ? "; paused, most peers are missing" : "");
  const Json& lost = list_of(json, "lost");
  if (lost.empty()) {
    out += "No peer with pins is missing.\n";
  }
  for (const Json& peer : lost) {
    out += fmt::format("{}\n    gone since {}, {} (due {})\n", peer_of(peer),
                       text_of(peer, "since"), text_of(peer, "state"), text_of(peer, "due"));
    out += fmt::format("    {} pins, {} moved here, {} left to other peers, {} without room\n",
                       number_of(peer, "pins"), number_of(peer, "moved"),
                       number_of(peer, "left_to_others"), number_of(peer, "too_few_peers"));
  }
  const Json& past = list_of(json, "past");
  if (!past.empty()) {
    out += "Earlier, since this peer started:\n";
  }
  for (const Json& peer : past) {
    out +=
        fmt::format("{}\n    gone since {}, {} {}; {} pins moved here\n", peer_of(peer),
                    text_of(peer, "since"), flag_of(peer, "back") ? "back at" : "without pins at",
                    text_of(peer, "ended"), number_of(peer, "moved"));
  }
  return out;
}

std::string format_planned(std::string_view document) {
  const Json json = read_object(document);
  if (const std::string error = text_of(json, "error"); !error.empty()) {
    return fmt::format("{} | {}\n", text_of(json, "cid"), error);
  }
  std::vector<std::string> to;
  for (const Json& peer : list_of(json, "to")) {
    to.push_back(peer.is_string() ? peer.get<std::string>() : std::string());
  }
  return fmt::format("{} | {}\n", text_of(json, "cid"), fmt::join(to, ", "));
}

std::string format_drain(std::string_view document) {
  const Json json = read_object(document);
  const std::string mode = text_of(json, "mode");
  std::string out = fmt::format("{}: {}", peer_of(json), mode);
  if (mode == "draining") {
    out += fmt::format(", {} pins left ({} on their way, {} with nowhere to go)",
                       number_of(json, "remaining"), number_of(json, "waiting"),
                       number_of(json, "blocked"));
  }
  out += "\n";
  if (flag_of(json, "safe")) {
    out += "Drained: no pin needs this peer, it is safe to remove it.\n";
  }
  return out;
}

std::string format_rebalance(std::string_view document) {
  const Json json = read_object(document);
  const std::string stopped = text_of(json, "stopped");
  return fmt::format("Rebalance: {}{}, {} pins moved, {} left, {} on their way\n",
                     flag_of(json, "running") ? "running" : "not running",
                     stopped.empty() ? "" : " (" + stopped + ")", number_of(json, "moved"),
                     number_of(json, "left"), number_of(json, "waiting"));
}

std::string format_rebalance_plan(std::string_view document) {
  const Json json = read_object(document);
  std::string out =
      fmt::format("{} pins would move, about {} bytes ({} a pin)\n", number_of(json, "pins"),
                  number_of(json, "bytes"), number_of(json, "pin_bytes"));
  for (const Json& peer : list_of(json, "peers")) {
    out += fmt::format("{}: {} pins, should have {}, {} bytes free\n", peer_of(peer),
                       number_of(peer, "pins"), number_of(peer, "target"), number_of(peer, "free"));
  }
  return out;
}

Task<int> order(Session& session, std::string name, std::string_view what) {
  const FoundPeer peer = co_await find_peer(session, std::move(name));
  if (peer.code != kExitOk) {
    co_return peer.code;
  }
  const auto answer =
      co_await session.api().call("POST", fmt::format("/peers/{}/{}", peer.id, what));
  co_return session.finish(answer, format_drain);
}

}  // namespace

Task<int> run_repin_status(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/repin");
  co_return session.finish(answer, format_repin);
}

Task<int> run_repin_plan(Session& session, const Invocation&) {
  co_return co_await session.show_stream("GET", "/repin/plan", format_planned);
}

Task<int> run_rebalance(Session& session, const Invocation& line) {
  const bool plan = line.flags.on("dry-run");
  const bool start = line.flags.on("start");
  const bool stop = line.flags.on("stop");
  if (plan + start + stop > 1) {
    co_return session.fail("parsing flags", "only one of --dry-run, --start and --stop");
  }
  if (plan) {
    const auto answer = co_await session.api().call("GET", "/rebalance/plan");
    co_return session.finish(answer, format_rebalance_plan);
  }
  const std::string path = start ? "/rebalance/start" : stop ? "/rebalance/stop" : "/rebalance";
  const auto answer = co_await session.api().call(start || stop ? "POST" : "GET", path);
  co_return session.finish(answer, format_rebalance);
}

Task<int> run_peers_cordon(Session& session, const Invocation& line) {
  co_return co_await order(session, std::string(line.arg(0)), "cordon");
}

Task<int> run_peers_uncordon(Session& session, const Invocation& line) {
  co_return co_await order(session, std::string(line.arg(0)), "uncordon");
}

Task<int> run_peers_drain(Session& session, const Invocation& line) {
  const FoundPeer peer = co_await find_peer(session, std::string(line.arg(0)));
  if (peer.code != kExitOk) {
    co_return peer.code;
  }
  const std::string path = fmt::format("/peers/{}/drain", peer.id);
  auto answer = co_await session.api().call("POST", path);
  while (answer && line.flags.on("wait") && !flag_of(read_object(*answer), "safe")) {
    if (text_of(read_object(*answer), "mode") != "draining") {
      co_return session.fail("draining", "the order was taken back");
    }
    session.console().err(format_drain(*answer));
    const Status slept = co_await sleep_for(kPollDrain);
    (void)slept;  // nobody cancels it
    answer = co_await session.api().call("GET", path);
  }
  co_return session.finish(answer, format_drain);
}

}  // namespace ica::ctl
