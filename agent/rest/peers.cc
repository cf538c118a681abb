#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"

namespace ica::rest {
namespace {

constexpr size_t kMaxBody = 64 << 10;

Task<void> send_id(Exchange& exchange, Result<api::Id> id) {
  if (!id) {
    co_await exchange.send_error(id.error());
    co_return;
  }
  co_await exchange.send(200, api::to_json(*id));
}

}  // namespace

Task<void> get_id(Exchange& exchange) {
  auto id = co_await exchange.cluster.id(exchange.stop());
  co_await send_id(exchange, std::move(id));
}

Task<void> get_version(Exchange& exchange) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("version").string(api::kReferenceVersion);
  json.end_object();
  co_await exchange.send(200, std::move(out));
}

Task<void> list_peers(Exchange& exchange) {
  auto items = exchange.cluster.peers(exchange.stop());
  co_await send_stream(exchange, std::move(items));
}

// The "peer_id" of a body, read as the reference does: the first JSON value counts, and what is
// absent or null is empty.
std::optional<std::string> peer_id_of(const std::string& body) {
  nlohmann::json json;
  try {
    std::istringstream(body) >> json;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  if (json.is_null()) {
    return std::string();
  }
  const auto found = json.find("peer_id");
  if (json.is_object() && (found == json.end() || found->is_null())) {
    return std::string();
  }
  if (!json.is_object() || !found->is_string()) {
    return std::nullopt;
  }
  return found->get<std::string>();
}

Task<void> add_peer(Exchange& exchange) {
  const auto body = co_await web::small_body(exchange.request.body, kMaxBody);
  const auto text = peer_id_of(body.value_or(""));
  if (!text) {
    co_await exchange.send_error(400, "error decoding request body");
    co_return;
  }
  auto peer = PeerId::parse(*text);
  if (!peer) {
    co_await exchange.send_error(400, "error decoding peer_id");
    co_return;
  }
  auto id = co_await exchange.cluster.peer_add(std::move(*peer), exchange.stop());
  co_await send_id(exchange, std::move(id));
}

Task<void> remove_peer(Exchange& exchange) {
  const auto peer = co_await or_bad_request(exchange, read_peer(exchange.var("peer")));
  if (!peer) {
    co_return;
  }
  const Status removed = exchange.cluster.peer_remove(*peer);
  if (!removed) {
    co_await exchange.send_error(removed.error());
    co_return;
  }
  co_await exchange.send_empty(204);
}

Task<void> collect_garbage(Exchange& exchange) {
  Result<api::GlobalRepoGc> done = api::GlobalRepoGc();
  if (exchange.local()) {
    done = co_await exchange.cluster.repo_gc_local(exchange.stop());
  } else {
    done = co_await exchange.cluster.repo_gc(exchange.stop());
  }
  if (!done) {
    co_await exchange.send_error(done.error());
    co_return;
  }
  std::string out;
  JsonWriter json(out);
  write_json(json, *done);
  co_await exchange.send(200, std::move(out));
}

}  // namespace ica::rest
