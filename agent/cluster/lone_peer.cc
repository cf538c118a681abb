#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "agent/cluster/peer_group.h"

namespace ica::cluster {
namespace {

tl::unexpected<Error> unknown(const PeerId& peer) {
  return fail(Code::Unavailable, "failed to dial {}: this peer has no connection to other peers",
              peer);
}

// "/ip4/192.0.2.7" and the like for every address of the machine's interfaces that are up.
std::vector<std::string> interface_addresses(bool v6) {
  std::vector<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return out;
  }
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET)) {
      continue;
    }
    char text[INET6_ADDRSTRLEN] = {};
    if (v6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(i->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) {
        continue;
      }
      ::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    } else {
      const auto* address = reinterpret_cast<const sockaddr_in*>(i->ifa_addr);
      ::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    }
    out.push_back(std::string(v6 ? "/ip6/" : "/ip4/") + text);
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace

LonePeer::LonePeer(const PeerId& self, const std::vector<Multiaddr>& listen) {
  const std::string suffix = "/p2p/" + self.text();
  for (const Multiaddr& address : listen) {
    const std::string text = address.text();
    if (!address.value_of("tcp")) {
      continue;  // QUIC is not spoken
    }
    std::vector<std::string> concrete;
    for (const bool v6 : {false, true}) {
      const std::string any = v6 ? "/ip6/::" : "/ip4/0.0.0.0";
      if (text.starts_with(any + "/")) {
        for (const std::string& host : interface_addresses(v6)) {
          concrete.push_back(host + text.substr(any.size()));
        }
      }
    }
    if (concrete.empty()) {
      concrete.push_back(text);
    }
    for (const std::string& one : concrete) {
      if (auto parsed = Multiaddr::parse(one + suffix)) {
        addresses_.push_back(std::move(*parsed));
      }
    }
  }
}

Task<Result<api::Id>> LonePeer::join(PeerId, Duration, StopToken) {
  co_return fail(Code::Unavailable, "failed to find any peer in table");
}
Task<Result<api::Id>> LonePeer::id(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<std::vector<api::Id>>> LonePeer::peers(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<std::vector<PeerId>>> LonePeer::swarm_peers(PeerId peer, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::PinInfo>> LonePeer::status(PeerId peer, Cid, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<PinInfos>> LonePeer::status_all(PeerId peer, api::StatusFilter, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::PinInfo>> LonePeer::recover(PeerId peer, Cid, Duration, StopToken) {
  co_return unknown(peer);
}
Task<Result<PinInfos>> LonePeer::recover_all(PeerId peer, StopToken) {
  co_return unknown(peer);
}
Task<Result<api::RepoGc>> LonePeer::repo_gc(PeerId peer, StopToken) {
  co_return unknown(peer);
}
Task<Status> LonePeer::put_blocks(PeerId peer, std::vector<ipfs::BlockToPut>, StopToken) {
  co_return unknown(peer);
}

}  // namespace ica::cluster
