#include "agent/proxy/calls.h"
#include "agent/proxy/handlers.h"

namespace ica::proxy {
namespace {

std::string key_line(const api::RepoGcKey& key, bool with_error) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_link(json.key("Key"), key.key);
  if (with_error && !key.error.empty()) {
    json.key("Error").string(key.error);
  }
  json.end_object();
  out.push_back('\n');
  return out;
}

}  // namespace

Task<void> repo_stat(Hijacked& call) {
  const ipfs::RepoStat total = co_await call.cluster.repo_stat(call.stop());
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("RepoSize").number(total.repo_size);
  json.key("StorageMax").number(total.storage_max);
  json.end_object();
  co_await call.send_ok(std::move(out));
}

Task<void> repo_gc(Hijacked& call) {
  const bool stream_errors = call.query.get("stream-errors") == "true";
  auto collected = co_await call.cluster.repo_gc(call.stop());
  call.headers.emplace_back("Trailer", "X-Stream-Error");
  if (!collected) {
    co_await call.send_error(collected.error());
    co_return;
  }
  Status sent = co_await call.response.begin(200, call.answer_headers());
  std::string errors;
  for (auto& [peer, answer] : collected->peer_map) {
    if (!answer.error.empty()) {
      answer.keys.push_back({Cid(), answer.error});
    }
    std::string lines;
    for (const api::RepoGcKey& key : answer.keys) {
      lines += key_line(key, stream_errors);
      if (!stream_errors && !key.error.empty()) {
        errors += key.error + "; ";
      }
    }
    if (sent && !lines.empty()) {
      sent = co_await call.response.write(std::move(lines));
    }
  }
  http::Headers trailers;
  if (!errors.empty()) {
    trailers.emplace_back("X-Stream-Error", web::header_text(errors));
  }
  if (sent) {
    sent = co_await call.response.end(std::move(trailers));
  }
}

}  // namespace ica::proxy
