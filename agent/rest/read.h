#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/rest/exchange.h"

// What several routes read from a request. Errors: InvalidArgument with the reference's words.
namespace ica::rest {

Result<Cid> read_cid(std::string_view text);
// A comma list; one bad entry fails it.
Result<std::vector<Cid>> read_cids(std::string_view list);
// "/ipfs/..." from the variables `kind` and `path` of the route.
Result<std::string> read_path(const Exchange& exchange);
// Pin options where a bad one is told to the client and otherwise ignored.
void read_options_loosely(Exchange& exchange, api::PinOptions& out);

}  // namespace ica::rest
