#include "common/web/watched_response.h"

namespace ica::web {

Task<Status> WatchedResponse::send(int status, http::Headers headers, Bytes body) {
  status_ = status;
  bytes_ = body.size();
  return inner_.send(status, std::move(headers), std::move(body));
}

Task<Status> WatchedResponse::begin(int status, http::Headers headers) {
  status_ = status;
  return inner_.begin(status, std::move(headers));
}

Task<Status> WatchedResponse::write(Bytes piece) {
  bytes_ += piece.size();
  return inner_.write(std::move(piece));
}

Task<Status> WatchedResponse::end(http::Headers trailers) {
  return inner_.end(std::move(trailers));
}

}  // namespace ica::web
