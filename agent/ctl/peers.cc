#include "agent/ctl/commands.h"
#include "agent/ctl/format.h"
#include "agent/ctl/session.h"
#include "common/codec/peer_id.h"

namespace ica::ctl {

Task<int> run_id(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/id");
  co_return session.finish(answer, format_id);
}

Task<int> run_version(Session& session, const Invocation&) {
  const auto answer = co_await session.api().call("GET", "/version");
  co_return session.finish(answer, format_version);
}

Task<int> run_peers_ls(Session& session, const Invocation&) {
  co_return co_await session.show_stream("GET", "/peers", format_id);
}

Task<int> run_peers_rm(Session& session, const Invocation& line) {
  const auto peer = PeerId::parse(line.arg(0));
  if (!peer) {
    co_return session.fail("parsing peer ID", peer.error().message());
  }
  const auto answer = co_await session.api().call("DELETE", "/peers/" + peer->text());
  co_return answer ? kExitOk : session.report(answer.error());
}

}  // namespace ica::ctl
