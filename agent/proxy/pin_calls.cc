#include <algorithm>

#include "agent/cluster/http_status.h"
#include "agent/proxy/calls.h"
#include "agent/proxy/handlers.h"

namespace ica::proxy {
namespace {

constexpr uint64_t kAllTypes = ~uint64_t{0};
// A list up to this long is sorted by CID, as the reference's always is; a longer one comes in the
// order of the pinset, because only that needs no memory.
constexpr size_t kSorted = 4096;

std::string_view kind_of(const api::Pin& pin) {
  return pin.options.mode == api::PinMode::Direct ? "direct" : "recursive";
}

std::string pins_json(const std::vector<Cid>& cids) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("Pins").begin_array();
  for (const Cid& cid : cids) {
    json.string(cid.text());
  }
  json.end_array();
  json.end_object();
  return out;
}

// Not in the coroutines: GCC 12 loses lists in braces there.
std::string pins_json(const Cid& one) {
  return pins_json(std::vector<Cid>{one});
}
std::string pins_json(const Cid& one, const Cid& other) {
  return pins_json(std::vector<Cid>{one, other});
}

// `"<cid>":{"Type":"recursive"}`: CIDs need no escapes.
void append_key(std::string& out, std::string_view cid) {
  out.append("\"").append(cid).append("\":{\"Type\":\"recursive\"}");
}

void append_line(std::string& out, const api::Pin& pin) {
  out.append("{\"Cid\":\"");
  pin.cid.append_text(out);
  out.append("\",\"Type\":\"").append(kind_of(pin)).append("\"}");
}

std::string keys_json(std::vector<std::string> cids) {
  std::sort(cids.begin(), cids.end());
  std::string out = "{\"Keys\":{";
  for (size_t i = 0; i < cids.size(); ++i) {
    out.append(i > 0 ? "," : "");
    append_key(out, cids[i]);
  }
  return out + "}}";
}

std::string keys_json(const Cid& one) {
  return keys_json(std::vector<std::string>{one.text()});
}

Task<void> finish(Hijacked& call, const Status& outcome) {
  http::Headers trailers;
  if (!outcome) {
    trailers.emplace_back("X-Stream-Error", web::header_text(outcome.error().message()));
  }
  const Status sent = co_await call.response.end(std::move(trailers));
  (void)sent;
}

Task<void> list_lines(Hijacked& call) {
  http::Headers headers = call.answer_headers();
  headers.emplace_back("Trailer", "X-Stream-Error");
  Status sent = co_await call.response.begin(200, std::move(headers));
  auto pins = call.cluster.pins(kAllTypes, call.stop());
  Status outcome;
  while (sent) {
    auto batch = co_await pins->next();
    if (!batch) {
      outcome = fail(std::move(batch.error()));
      break;
    }
    if (batch->empty()) {
      break;
    }
    std::string lines;
    for (const api::Pin& pin : *batch) {
      append_line(lines, pin);
      lines.push_back('\n');
    }
    sent = co_await call.response.write(std::move(lines));
  }
  if (sent) {
    co_await finish(call, outcome);
  }
}

// What does not fit into `first`, which is full.
Task<void> list_keys_chunked(Hijacked& call, std::vector<std::string> first,
                             cluster::StreamPtr<api::Pin> pins) {
  std::string text = keys_json(std::move(first));
  text.resize(text.size() - 2);  // goes on
  Status sent = co_await call.response.begin(200, call.answer_headers());
  while (sent) {
    sent = co_await call.response.write(std::move(text));
    if (!sent) {
      break;
    }
    auto batch = co_await pins->next();
    if (!batch) {
      co_return;  // the answer stays without its end: the client sees that it is cut
    }
    text.clear();
    if (batch->empty()) {
      sent = co_await call.response.write("}}");
      break;
    }
    for (const api::Pin& pin : *batch) {
      text.push_back(',');
      append_key(text, pin.cid.text());
    }
  }
  if (sent) {
    co_await finish(call, Status());
  }
}

Task<void> list_keys(Hijacked& call) {
  auto pins = call.cluster.pins(kAllTypes, call.stop());
  std::vector<std::string> cids;
  while (true) {
    auto batch = co_await pins->next();
    if (!batch) {
      co_await call.send_error(batch.error());
      co_return;
    }
    if (batch->empty()) {
      co_await call.send_ok(keys_json(std::move(cids)));
      co_return;
    }
    for (const api::Pin& pin : *batch) {
      cids.push_back(pin.cid.text());
    }
    if (cids.size() > kSorted) {
      break;
    }
  }
  co_await list_keys_chunked(call, std::move(cids), std::move(pins));
}

Task<void> list_one(Hijacked& call, bool lines) {
  auto cid = Cid::parse(call.arg());
  if (!cid) {
    co_await call.send_error(500, cid.error().message());
    co_return;
  }
  auto pin = call.cluster.pin_get(*cid);
  if (!pin) {
    co_await call.send_error(500, fmt::format("Error: path '{}' is not pinned", call.arg()));
    co_return;
  }
  std::string out;
  if (lines) {
    append_line(out, *pin);
  } else {
    out = keys_json(pin->cid);
  }
  co_await call.send_ok(std::move(out));
}

api::PinMode mode_of(const Hijacked& call) {
  return call.query.get("type") == "direct" ? api::PinMode::Direct : api::PinMode::Recursive;
}

Task<void> send_pin(Hijacked& call, Result<api::Pin> pin) {
  if (!pin) {
    co_await call.send_error(pin.error());
    co_return;
  }
  co_await call.send_ok(pins_json(pin->cid));
}

}  // namespace

Task<void> Hijacked::send_error(int status, std::string_view message) {
  return send_text(status, error_json(message));
}

Task<void> Hijacked::send_error(const Error& error) {
  if (error.code() == Code::Busy) {
    headers.emplace_back("Retry-After", "1");
    return send_error(429, error.message());
  }
  return send_error(500, error.message());
}

Task<void> pin_add(Hijacked& call) {
  auto path = read_path(call.arg());
  if (!path) {
    co_await call.send_error(500, "Error parsing IPFS Path: " + path.error().message());
    co_return;
  }
  api::PinOptions options;
  options.mode = mode_of(call);
  auto pin = co_await call.cluster.pin_path(std::move(*path), std::move(options), call.stop());
  co_await send_pin(call, std::move(pin));
}

Task<void> pin_rm(Hijacked& call) {
  auto path = read_path(call.arg());
  if (!path) {
    co_await call.send_error(500, "Error parsing IPFS Path: " + path.error().message());
    co_return;
  }
  auto pin = co_await call.cluster.unpin_path(std::move(*path), call.stop());
  co_await send_pin(call, std::move(pin));
}

Task<void> pin_ls(Hijacked& call) {
  const bool lines = call.query.get("stream") == "true" || call.query.get("s") == "true";
  if (!call.arg().empty()) {
    return list_one(call, lines);
  }
  return lines ? list_lines(call) : list_keys(call);
}

Task<void> pin_update(Hijacked& call) {
  if (call.args.size() < 2) {
    const std::string_view missing = call.args.empty() ? "from" : "to";
    co_await call.send_error(400, fmt::format("argument \"{}-path\" is required", missing));
    co_return;
  }
  auto from_path = read_path(call.args[0]);
  if (!from_path) {
    co_await call.send_error(
        500, "error parsing \"from-path\" argument: " + from_path.error().message());
    co_return;
  }
  auto to_path = read_path(call.args[1]);
  if (!to_path) {
    co_await call.send_error(500,
                             "error parsing \"to-path\" argument: " + to_path.error().message());
    co_return;
  }
  auto from = co_await call.cluster.resolve(std::move(*from_path), call.stop());
  if (!from) {
    co_await call.send_error(from.error());
    co_return;
  }
  api::PinOptions options;
  options.pin_update = *from;
  auto pin = co_await call.cluster.pin_path(std::move(*to_path), std::move(options), call.stop());
  if (!pin) {
    co_await call.send_error(pin.error());
    co_return;
  }
  if (call.query.get("unpin") != "false" && pin->cid != *from) {
    auto removed = co_await call.cluster.unpin(*from, call.stop());
    if (!removed) {
      co_await call.send_error(removed.error());
      co_return;
    }
  }
  co_await call.send_ok(pins_json(*from, pin->cid));
}

}  // namespace ica::proxy
