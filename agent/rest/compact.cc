// A short history, begun on all peers while they run; the reference has no such routes.
#include "agent/cluster/compactor.h"
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"

namespace ica::rest {
namespace {

std::string plan_json(const Exchange& exchange, const cluster::CompactPlan& plan) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("possible").boolean(plan.possible());
  json.key("epoch").number(plan.epoch);
  json.key("pins").number(plan.pins);
  json.key("changes").number(plan.changes);
  json.key("changes_after").number(plan.changes_after);
  json.key("disk_bytes").number(plan.disk_bytes);
  json.key("members").begin_array();
  for (const cluster::CompactMember& member : plan.members) {
    json.begin_object();
    json.key("peer").string(member.peer.text());
    json.key("peername").string(exchange.cluster.peername(member.peer));
    json.key("problem").string(member.problem);
    json.key("pins").number(member.pins);
    json.key("changes").number(member.changes);
    json.key("digest").string(fmt::format("{:016x}", member.digest));
    json.end_object();
  }
  json.end_array();
  write_peers(json, "without", plan.without);
  json.end_object();
  return out;
}

std::string status_json(const cluster::CompactStatus& status) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("running").boolean(status.running);
  json.key("step").string(status.step);
  json.key("epoch").number(status.epoch);
  json.key("led").boolean(status.led);
  json.key("ended").string(status.ended.is_zero() ? "" : status.ended.utc().rfc3339());
  json.key("error").string(status.error);
  json.key("paused").string(format_duration(status.paused));
  json.key("changes_before").number(status.changes_before);
  json.key("changes_after").number(status.changes_after);
  json.key("members").number(static_cast<uint64_t>(status.members));
  json.end_object();
  return out;
}

// The reference knows no 409, these routes do.
Task<void> refuse(Exchange& exchange, const Error& error) {
  if (error.code() == Code::Conflict) {
    return exchange.send_error(http_status(error.code()), error.message());
  }
  return exchange.send_error(error);
}

// Null once the client has been told why.
Task<cluster::Compactor*> compactor_of(Exchange& exchange) {
  cluster::Compactor* compactor = exchange.cluster.compactor();
  if (compactor == nullptr) {
    co_await exchange.send_error(404, "the history of this peer cannot be compacted");
  }
  co_return compactor;
}

}  // namespace

Task<void> get_compact(Exchange& exchange) {
  const cluster::Compactor* compactor = co_await compactor_of(exchange);
  if (compactor == nullptr) {
    co_return;
  }
  co_await exchange.send(200, status_json(compactor->status()));
}

Task<void> get_compact_plan(Exchange& exchange) {
  cluster::Compactor* compactor = co_await compactor_of(exchange);
  if (compactor == nullptr) {
    co_return;
  }
  auto without = co_await or_bad_request(exchange, read_peers(exchange.query.get("without")));
  if (!without) {
    co_return;
  }
  const auto plan = co_await compactor->plan(std::move(*without), exchange.stop());
  if (!plan) {
    co_await refuse(exchange, plan.error());
    co_return;
  }
  co_await exchange.send(200, plan_json(exchange, *plan));
}

Task<void> start_compact(Exchange& exchange) {
  cluster::Compactor* compactor = co_await compactor_of(exchange);
  if (compactor == nullptr) {
    co_return;
  }
  auto without = co_await or_bad_request(exchange, read_peers(exchange.query.get("without")));
  if (!without) {
    co_return;
  }
  Status started;
  if (exchange.cluster.settings().cluster.follower_mode) {
    started = fail(Code::Internal, "{}", cluster::kFollower);
  } else {
    started = co_await compactor->start(std::move(*without));
  }
  if (!started) {
    co_await refuse(exchange, started.error());
    co_return;
  }
  co_await exchange.send(200, status_json(compactor->status()));
}

}  // namespace ica::rest
