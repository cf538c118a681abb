#include "agent/rest/json_stream.h"

#include "agent/cluster/http_status.h"
#include "common/api/peer.h"

namespace ica::rest {

void write_peers(JsonWriter& json, std::string_view key, const std::vector<PeerId>& peers) {
  json.key(key).begin_array();
  for (const PeerId& peer : peers) {
    json.string(peer.text());
  }
  json.end_array();
}

http::Headers LineWriter::headers() const {
  http::Headers out = exchange_.answer_headers();
  out.emplace_back("Trailer", "X-Stream-Error");
  return out;
}

Task<Status> LineWriter::write(std::string lines) {
  if (!exchange_.response.begun()) {
    const Status begun = co_await exchange_.response.begin(200, headers());
    if (!begun) {
      co_return begun;
    }
  }
  co_return co_await exchange_.response.write(std::move(lines));
}

Task<void> LineWriter::finish(Status outcome) {
  http::ResponseWriter& response = exchange_.response;
  Status sent;
  http::Headers trailers;
  if (response.begun()) {
    const std::string error = outcome ? std::string() : web::header_text(outcome.error().message());
    trailers.emplace_back("X-Stream-Error", error);
  } else if (outcome) {
    sent = co_await response.send(204, headers(), Bytes());
    co_return;
  } else {
    const int code = cluster::http_status_of(outcome.error());
    http::Headers declared = headers();
    if (outcome.error().code() == Code::Busy) {
      declared.emplace_back("Retry-After", "1");
    }
    sent = co_await response.begin(code, std::move(declared));
    if (sent) {
      sent = co_await response.write(api::error_json(code, outcome.error().message()) + "\n");
    }
  }
  if (sent) {
    sent = co_await response.end(std::move(trailers));
  }
}

}  // namespace ica::rest
