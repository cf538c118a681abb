#include <nlohmann/json.hpp>

#include "agent/adder/add_answer.h"
#include "agent/ipfs/kubo_json.h"
#include "agent/proxy/calls.h"
#include "agent/proxy/handlers.h"
#include "common/base/log.h"
#include "common/codec/url_escape.h"

namespace ica::proxy {
namespace {

constexpr size_t kMaxLine = 1 << 20;
constexpr size_t kMaxErrorText = 64 << 10;

std::string added_json(const api::AddedOutput& line) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("Name").string(line.name);
  if (line.cid.defined()) {
    json.key("Hash").string(line.cid.text());
  }
  if (line.bytes != 0) {
    json.key("Bytes").number(line.bytes);
  }
  if (line.size != 0) {
    json.key("Size").string(std::to_string(line.size));
  }
  json.end_object();
  return out;
}

// The reference answers here in the words of its REST API.
Task<void> add_failed(web::Exchange& exchange, const Error& error) {
  return exchange.send_text(500, api::error_json(500, error.message()) + "\n");
}

// One document of Kubo's answer, and it as we repeat it.
struct Stored {
  Cid cid;
  std::string json;
};
using ReadStored = Result<Stored> (*)(const std::string& line);

Result<Stored> read_block(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("Key") || !json["Key"].is_string() ||
      !json.contains("Size") || !json["Size"].is_number_integer()) {
    return fail(Code::Protocol, "block/put: Kubo's answer cannot be read");
  }
  TRY(Cid cid, Cid::parse(json["Key"].get<std::string>()));
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  out.key("Key").string(cid.text());
  out.key("Size").number(json["Size"].get<int64_t>());
  out.end_object();
  return Stored{std::move(cid), std::move(text)};
}

Result<Stored> read_node(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  const auto link = json.is_object() ? json.find("Cid") : json.end();
  if (!json.is_object() || link == json.end() || !link->is_object() || !link->contains("/") ||
      !(*link)["/"].is_string()) {
    return fail(Code::Protocol, "dag/put: Kubo's answer cannot be read");
  }
  TRY(Cid cid, Cid::parse((*link)["/"].get<std::string>()));
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  write_link(out.key("Cid"), cid);
  out.end_object();
  return Stored{std::move(cid), std::move(text)};
}

// An answer that is not 200 is passed on: the text of an error, in one piece.
Task<Status> pass_on(Hijacked& call, int status, http::ClientStream& stream) {
  std::string text;
  while (text.size() < kMaxErrorText) {
    auto piece = co_await stream.read();
    if (!piece) {
      co_return fail(std::move(piece.error()));
    }
    if (!*piece) {
      break;
    }
    text += **piece;
  }
  co_return co_await call.response.send(status, call.answer_headers(), std::move(text));
}

// Pins what a line names and repeats the line; what cannot be pinned is told at the end.
Task<Status> pin_stored(Hijacked& call, ReadStored read, std::string line,
                        http::Headers& trailers) {
  auto stored = read(line);
  if (!stored) {
    trailers.emplace_back("X-Stream-Error", web::header_text(stored.error().message()));
    co_return fail(std::move(stored.error()));
  }
  api::Pin pin;
  pin.cid = stored->cid;
  auto pinned = co_await call.cluster.pin(std::move(pin));
  if (!pinned) {
    trailers.emplace_back("X-Stream-Error", web::header_text(pinned.error().message()));
  }
  co_return co_await call.response.write(stored->json + "\n");
}

Task<Status> pin_answers(Hijacked& call, ReadStored read, http::ClientStream& stream) {
  auto status = co_await stream.status();
  if (!status) {
    co_return fail(std::move(status.error()));
  }
  if (*status != 200) {
    co_return co_await pass_on(call, *status, stream);
  }
  http::Headers headers = call.answer_headers();
  headers.emplace_back("Trailer", "X-Stream-Error");
  Status going = co_await call.response.begin(200, std::move(headers));
  http::Headers trailers;
  ipfs::LineSplitter lines(kMaxLine);
  bool ended = false;
  while (going && !ended) {
    auto piece = co_await stream.read();
    if (!piece) {
      trailers.emplace_back("X-Stream-Error", web::header_text(piece.error().message()));
      break;
    }
    ended = !*piece;
    const Status fed = lines.feed(ended ? BytesView("\n") : BytesView(**piece));
    if (!fed) {
      trailers.emplace_back("X-Stream-Error", web::header_text(fed.error().message()));
      break;
    }
    auto line = lines.next();
    while (going && line) {
      going = co_await pin_stored(call, read, std::move(*line), trailers);
      line = lines.next();
    }
  }
  if (!going && trailers.empty()) {
    co_return going;  // the client is gone
  }
  co_return co_await call.response.end(std::move(trailers));
}

Task<void> put_and_pin(Hijacked& call, std::string query, ReadStored read) {
  Hijacked* const self = &call;
  const Kubo::Take take = [self, read](http::ClientStream& stream) {
    return pin_answers(*self, read, stream);
  };
  const Status done = co_await call.kubo.send(call.request, std::move(query), take);
  if (!done && !call.response.begun() && !call.stop().stop_requested()) {
    co_await call.send_error(500, done.error().message());
  }
}

// The query with `key` set to `value`, its keys in order as Go writes them.
std::string with_value(const http::Query& query, std::string_view key, std::string_view value) {
  std::multimap<std::string, std::string> pairs;
  for (const auto& [name, text] : query.pairs()) {
    if (name != key) {
      pairs.emplace(name, text);
    }
  }
  pairs.emplace(key, value);
  std::string out;
  for (const auto& [name, text] : pairs) {
    out += out.empty() ? "" : "&";
    out += percent_encode(name) + "=" + percent_encode(text);
  }
  return out;
}

}  // namespace

Task<void> add(Hijacked& call) {
  auto boundary = adder::multipart_boundary(call.request.header("Content-Type"));
  if (!boundary) {
    co_await call.send_error(500, "error reading request: " + boundary.error().message());
    co_return;
  }
  if (call.query.get("only-hash") == "true") {
    co_await call.send_error(500, "only-hash is not supported when adding to cluster");
    co_return;
  }
  auto wanted = adder::read_add_query(call.query, Time::now());
  if (!wanted) {
    co_await call.send_error(500, "error parsing options:" + wanted.error().message());
    co_return;
  }
  if (call.query.get("trickle") == "true") {
    wanted->options.layout = adder::Layout::Trickle;
  }
  wanted->options.no_pin = wanted->options.no_pin || call.query.get("pin") == "false";
  adder::AddAnswer answer;
  Hijacked* const self = &call;
  answer.line = &added_json;
  answer.run = [self](adder::AddOptions options, adder::PartSource& parts,
                      adder::OutputSink& output) {
    return self->cluster.add(std::move(options), parts, output, self->stop());
  };
  answer.fail = [self](const Error& error) { return add_failed(*self, error); };
  co_await adder::answer_add(call, std::move(*wanted), std::move(*boundary), std::move(answer));
}

Task<void> block_put(Hijacked& call) {
  return put_and_pin(call, call.request.query, &read_block);
}

// Kubo must not pin the node on its own account, or nobody would ever unpin it.
Task<void> dag_put(Hijacked& call) {
  return put_and_pin(call, with_value(call.query, "pin", "false"), &read_node);
}

}  // namespace ica::proxy
