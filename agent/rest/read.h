#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/rest/exchange.h"

// What several routes read from a request. Errors: InvalidArgument with the reference's words.
namespace ica::rest {

Result<Cid> read_cid(std::string_view text);
// A comma list; one bad entry fails it.
Result<std::vector<Cid>> read_cids(std::string_view list);
Result<PeerId> read_peer(std::string_view text);
// A comma list, which may be empty.
Result<std::vector<PeerId>> read_peers(std::string_view list);
// "/ipfs/..." from the variables `kind` and `path` of the route.
Result<std::string> read_path(const Exchange& exchange);
// Pin options where a bad one is told to the client and otherwise ignored.
void read_options_loosely(Exchange& exchange, api::PinOptions& out);

// What was read, or nothing once the client has been told 400 and why.
template <typename T>
Task<std::optional<T>> or_bad_request(Exchange& exchange, Result<T> read) {
  if (!read) {
    co_await exchange.send_error(400, read.error().message());
    co_return std::nullopt;
  }
  co_return std::move(*read);
}

}  // namespace ica::rest
