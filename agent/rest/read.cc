#include "agent/rest/read.h"

#include <algorithm>

#include "common/codec/go_quote.h"
#include "common/web/list.h"
#include "common/web/pin_query.h"

namespace ica::rest {

Result<Cid> read_cid(std::string_view text) {
  auto cid = Cid::parse(text);
  if (!cid) {
    return fail(Code::InvalidArgument, "error decoding Cid: {}", cid.error().message());
  }
  return std::move(*cid);
}

Result<std::vector<Cid>> read_cids(std::string_view list) {
  std::vector<Cid> out;
  TRY_VOID(web::for_each_of_list(list, [&out](std::string_view text) -> Status {
    TRY(auto cid, read_cid(text));
    out.push_back(std::move(cid));
    return {};
  }));
  return out;
}

Result<PeerId> read_peer(std::string_view text) {
  auto peer = PeerId::parse(text);
  if (!peer) {
    return fail(Code::InvalidArgument, "error decoding Peer ID: {}", peer.error().message());
  }
  return std::move(*peer);
}

Result<std::vector<PeerId>> read_peers(std::string_view list) {
  std::vector<PeerId> out;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    TRY(auto peer, read_peer(list.substr(0, comma)));
    out.push_back(std::move(peer));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

Result<std::string> read_path(const Exchange& exchange) {
  const std::string_view kind = exchange.var("kind");
  const std::string_view rest = exchange.var("path");
  std::string path = "/" + std::string(kind) + "/" + std::string(rest);
  const std::string_view root = rest.substr(0, rest.find('/'));
  if (root.empty()) {
    return fail(Code::InvalidArgument,
                "error parsing path: invalid path {}: path does not have enough components",
                go_quote(path));
  }
  if (kind != "ipns") {
    if (auto cid = Cid::parse(root); !cid) {
      return fail(Code::InvalidArgument, "error parsing path: invalid path {}: {}", go_quote(path),
                  cid.error().message());
    }
  }
  return path;
}

void read_options_loosely(Exchange& exchange, api::PinOptions& out) {
  const Status read = web::read_pin_options(exchange.query, Time::now(), out);
  if (!read) {
    exchange.bad_option(read.error().message());
  }
}

}  // namespace ica::rest
