// state compact: a short history on all peers, which the reference's client does not have.
#include <algorithm>

#include "agent/ctl/commands.h"
#include "agent/ctl/compact_text.h"
#include "agent/ctl/find_peer.h"
#include "agent/ctl/json_fields.h"
#include "agent/ctl/json_scanner.h"
#include "agent/ctl/session.h"
#include "common/base/async.h"
#include "common/codec/peer_id.h"

namespace ica::ctl {
namespace {

constexpr std::string_view kDoing = "compacting the history";
constexpr Duration kPoll = std::chrono::milliseconds(500);

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (true) {
    const size_t comma = list.find(',');
    out.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) {
      return out;
    }
    list.remove_prefix(comma + 1);
  }
}

// The query that leaves peers out.
struct Without {
  std::string query;
  int code = kExitOk;  // else the user has been told why
};

Task<Without> read_without(Session& session, std::string list) {
  Without out;
  if (list.empty()) {
    co_return out;
  }
  const std::vector<std::string> names = split(list);
  std::vector<KnownPeer> known;
  if (!std::all_of(names.begin(), names.end(),
                   [](const std::string& name) { return PeerId::parse(name).has_value(); })) {
    // Peers that are gone have a name in the plan only.
    const auto plan = co_await session.api().call("GET", "/compact/plan");
    if (!plan) {
      out.code = session.report(plan.error());
      co_return out;
    }
    const Json json = read_object(*plan);
    for (const Json& member : list_of(json, "members")) {
      known.push_back({text_of(member, "peer"), text_of(member, "peername")});
    }
  }
  for (const std::string& name : names) {
    const FoundPeer peer = choose_peer(session, name, known);
    if (peer.code != kExitOk) {
      out.code = peer.code;
      co_return out;
    }
    out.query += (out.query.empty() ? "?without=" : ",") + peer.id;
  }
  co_return out;
}

void show_plan(Session& session, std::string_view plan) {
  Console& console = session.console();
  console.out(session.json() ? indent_json(plan) + "\n"
                             : format_compact_plan(plan, console.width()));
}

// Until it has ended: each step on standard error, then what was done.
Task<int> follow(Session& session, std::string status) {
  std::string shown;
  Json json = read_object(status);
  while (flag_of(json, "running")) {
    if (const std::string step = text_of(json, "step"); !step.empty() && step != shown) {
      session.console().err(step + "\n");
      shown = step;
    }
    const Status slept = co_await sleep_for(kPoll);
    (void)slept;  // nobody cancels it
    auto answer = co_await session.api().call("GET", "/compact");
    if (!answer) {
      co_return session.report(answer.error());
    }
    status = std::move(*answer);
    json = read_object(status);
  }
  if (!flag_of(json, "led")) {
    co_return session.fail(kDoing,
                           "the peer was started anew meanwhile; `ipfs-cluster-ctl health digest` "
                           "shows how the peers are");
  }
  if (session.json()) {
    session.console().out(indent_json(status) + "\n");
  }
  if (const std::string error = text_of(json, "error"); !error.empty()) {
    co_return session.fail(kDoing, error);
  }
  if (!session.json()) {
    session.console().out(format_compacted(status));
  }
  co_return kExitOk;
}

}  // namespace

Task<int> run_state_compact(Session& session, const Invocation& line) {
  Console& console = session.console();
  if (line.flags.on("status")) {
    const auto answer = co_await session.api().call("GET", "/compact");
    co_return session.finish(answer, format_compact_status);
  }
  const Without without = co_await read_without(session, line.flags.text("without"));
  if (without.code != kExitOk) {
    co_return without.code;
  }
  const auto plan = co_await session.api().call("GET", "/compact/plan" + without.query);
  if (!plan) {
    co_return session.report(plan.error());
  }
  show_plan(session, *plan);
  if (!flag_of(read_object(*plan), "possible")) {
    co_return session.fail(kDoing, compact_problems(*plan));
  }
  if (line.flags.on("plan")) {
    co_return kExitOk;
  }
  if (!line.flags.on("force")) {
    if (!console.can_ask()) {
      co_return session.fail(kDoing, "there is no terminal to ask at, --force is needed");
    }
    if (!console.confirm("The history begins anew on all of these peers. Continue? [y/n]:")) {
      console.err("Nothing was done.\n");
      co_return kExitOk;
    }
  }
  const auto started = co_await session.api().call("POST", "/compact/start" + without.query);
  if (!started || line.flags.on("no-wait")) {
    co_return session.finish(started, format_compact_status);
  }
  co_return co_await follow(session, *started);
}

}  // namespace ica::ctl
