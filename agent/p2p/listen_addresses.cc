#include "agent/p2p/listen_addresses.h"

#include <algorithm>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string>

namespace ica::p2p {

namespace {

// "/ip4/192.0.2.7" and the like for every address of the machine's interfaces that are up.
std::vector<std::string> interface_addresses(bool v6) {
  std::vector<std::string> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return out;
  }
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET) ||
        (i->ifa_flags & IFF_UP) == 0) {
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

std::vector<Multiaddr> concrete_addresses(const std::vector<Multiaddr>& listen) {
  std::vector<Multiaddr> out;
  for (const Multiaddr& address : listen) {
    if (!address.value_of("tcp")) {
      continue;
    }
    const std::string text = address.text();
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
      auto parsed = Multiaddr::parse(one);
      if (parsed && std::find(out.begin(), out.end(), *parsed) == out.end()) {
        out.push_back(*std::move(parsed));
      }
    }
  }
  return out;
}

bool is_loopback(const Multiaddr& address) {
  if (const auto v4 = address.value_of("ip4")) {
    return v4->starts_with("127.");
  }
  return address.value_of("ip6") == "::1";
}

bool is_name(const Multiaddr& address) {
  const std::string text = address.text();
  return text.starts_with("/dns");
}

}  // namespace ica::p2p
