#include "agent/ctl/find_peer.h"

#include <fmt/format.h>
#include <vector>

#include "agent/ctl/format.h"
#include "common/codec/peer_id.h"

namespace ica::ctl {

FoundPeer choose_peer(Session& session, std::string_view name, std::span<const KnownPeer> known) {
  FoundPeer out;
  if (name.empty()) {
    out.code = session.fail("parsing arguments", "a peer ID or a peer name is needed");
    return out;
  }
  if (const auto id = PeerId::parse(name)) {
    out.id = id->text();
    return out;
  }
  size_t found = 0;
  for (const KnownPeer& peer : known) {
    if (peer.name == name) {
      out.id = peer.id;
      ++found;
    }
  }
  if (found != 1) {
    const std::string wrong = found == 0 ? fmt::format("no peer is called \"{}\"", name)
                                         : fmt::format("{} peers are called \"{}\"", found, name);
    out.code = session.fail("finding the peer", wrong);
  }
  return out;
}

Task<FoundPeer> find_peer(Session& session, std::string name) {
  std::vector<KnownPeer> known;
  if (!name.empty() && !PeerId::parse(name)) {
    ApiClient::Sink sink = [&known](std::string_view document) {
      known.push_back({json_text(document, "id"), json_text(document, "peername")});
    };
    const ApiResult<void> listed = co_await session.api().stream("GET", "/peers", std::move(sink));
    if (!listed) {
      FoundPeer none;
      none.code = session.report(listed.error());
      co_return none;
    }
  }
  co_return choose_peer(session, name, known);
}

}  // namespace ica::ctl
