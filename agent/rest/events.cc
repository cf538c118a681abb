// GET /events: what happens to pins, as server-sent events; the reference has no such route.
#include <charconv>

#include "agent/cluster/event_log.h"
#include "agent/rest/handlers.h"
#include "agent/rest/read.h"
#include "common/base/async.h"
#include "common/base/json_writer.h"

namespace ica::rest {
namespace {

constexpr size_t kPage = 256;
constexpr Duration kPoll = std::chrono::milliseconds(200);
// So often something is sent, that both ends notice when the other is gone.
constexpr Duration kKeepAlive = std::chrono::seconds(15);

struct Wanted {
  uint64_t after = 0;
  std::string type;
  std::string name_prefix;
};

// The header that browsers send when they connect again goes before the parameter.
Result<Wanted> read_wanted(const Exchange& exchange, uint64_t last) {
  Wanted out;
  out.after = last;
  std::string_view after = exchange.request.header("Last-Event-ID");
  const std::string parameter(exchange.query.get("after"));
  if (after.empty()) {
    after = parameter;
  }
  if (!after.empty()) {
    const auto [end, error] = std::from_chars(after.data(), after.data() + after.size(), out.after);
    if (error != std::errc() || end != after.data() + after.size()) {
      return fail(Code::InvalidArgument, "parameter after invalid");
    }
  }
  out.type = exchange.query.get("type");
  out.name_prefix = exchange.query.get("name-prefix");
  if (!out.type.empty() && out.type != "pin" && out.type != "unpin" && out.type != "status") {
    return fail(Code::InvalidArgument, "parameter type invalid");
  }
  return out;
}

std::string lost_event(uint64_t from, uint64_t to) {
  std::string data;
  JsonWriter json(data);
  json.begin_object();
  json.key("from").number(from);
  json.key("to").number(to);
  json.end_object();
  return "event: lost\ndata: " + data + "\n\n";
}

std::string text_of(const std::vector<cluster::Event>& events, const Wanted& wanted) {
  std::string out;
  for (const auto& event : events) {
    if ((!wanted.type.empty() && event.type != wanted.type) ||
        (!wanted.name_prefix.empty() && !event.name.starts_with(wanted.name_prefix))) {
      continue;
    }
    out += "id: " + std::to_string(event.id) + "\nevent: " + event.type + "\ndata: " + event.json +
           "\n\n";
  }
  return out;
}

}  // namespace

Task<void> get_events(Exchange& exchange) {
  const cluster::EventLog* log = exchange.cluster.events();
  if (log == nullptr) {
    co_await exchange.send_error(404, "events are not kept here (agent.max_events is 0)");
    co_return;
  }
  auto wanted = co_await or_bad_request(exchange, read_wanted(exchange, log->last()));
  if (!wanted) {
    co_return;
  }
  http::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-cache"}};
  headers.insert(headers.end(), exchange.headers.begin(), exchange.headers.end());
  Status sent = co_await exchange.response.begin(200, std::move(headers));
  std::string out = ": events\n\n";
  if (const uint64_t first = log->first(); wanted->after + 1 < first) {
    out += lost_event(wanted->after + 1, first - 1);
    wanted->after = first - 1;
  }
  Duration quiet{};
  while (sent && !exchange.stop().stop_requested()) {
    if (!out.empty()) {
      sent = co_await exchange.response.write(std::exchange(out, {}));
      quiet = Duration::zero();
      if (!sent) {
        break;
      }
    }
    if (log->last() > wanted->after) {
      const auto events = log->read(wanted->after, kPage);
      if (!events) {
        break;  // the client reads from its last ID again
      }
      if (!events->empty()) {
        wanted->after = events->back().id;
        out = text_of(*events, *wanted);
        continue;
      }
    }
    const Status slept = co_await sleep_for(kPoll, exchange.stop());
    if (!slept) {
      break;
    }
    quiet += kPoll;
    if (quiet >= kKeepAlive) {
      out = ": nothing new\n\n";
    }
  }
  if (sent) {
    sent = co_await exchange.response.end();
  }
  (void)sent;  // the client is gone
}

}  // namespace ica::rest
