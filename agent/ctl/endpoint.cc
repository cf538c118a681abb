#include "agent/ctl/endpoint.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <memory>
#include <netdb.h>
#include <optional>

#include "common/codec/multiaddr.h"

namespace ica::ctl {
namespace {

using Components = std::vector<Multiaddr::Component>;

std::optional<std::string> value_of(const Components& components, std::string_view name) {
  for (const auto& component : components) {
    if (component.name == name) {
      return component.value;
    }
  }
  return std::nullopt;
}

bool is_dns(std::string_view name) {
  return name == "dns" || name == "dns4" || name == "dns6";
}

Result<std::vector<std::string>> resolve(const std::string& host, std::string_view protocol) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = protocol == "dns4" ? AF_INET : protocol == "dns6" ? AF_INET6 : AF_UNSPEC;
  addrinfo* found = nullptr;
  if (const int rc = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); rc != 0) {
    const bool unknown = rc == EAI_NONAME || rc == EAI_NODATA;
    return fail(Code::Unavailable, "creating configs: lookup {}: {}", host,
                unknown ? "no such host" : ::gai_strerror(rc));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<std::string> out;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0 &&
        std::find(out.begin(), out.end(), text.data()) == out.end()) {
      out.emplace_back(text.data());
    }
  }
  return out;
}

Endpoint make_endpoint(std::string_view host, const std::optional<std::string>& port, bool tls) {
  const bool v6 = host.find(':') != std::string_view::npos;
  Endpoint out;
  out.url = fmt::format("{}://{}{}{}{}{}", tls ? "https" : "http", v6 ? "[" : "", host,
                        v6 ? "]" : "", port ? ":" : "", port.value_or(""));
  out.shown = out.url;
  return out;
}

Status add_host(const Multiaddr& address, bool tls, std::vector<Endpoint>& out) {
  const Components components = address.components();
  if (value_of(components, "p2p") || value_of(components, "dnsaddr")) {
    Endpoint endpoint;
    endpoint.libp2p = true;
    endpoint.shown =
        "libp2p://" +
        value_of(components, "p2p").value_or(value_of(components, "dnsaddr").value_or(""));
    out.push_back(std::move(endpoint));
    return {};
  }
  if (auto path = value_of(components, "unix")) {
    Endpoint endpoint;
    endpoint.unix_socket = path->starts_with('/') ? *path : "/" + *path;
    endpoint.shown = "http+unix://restapi";
    endpoint.url = "http://restapi";
    out.push_back(std::move(endpoint));
    return {};
  }
  const std::string protocol = components.empty() ? "" : components.front().name;
  if (protocol != "ip4" && protocol != "ip6" && !is_dns(protocol)) {
    return fail(Code::InvalidArgument, "creating API client: {} is not a 'thin waist' address",
                address.text());
  }
  const std::string& host = components.front().value;
  std::optional<std::string> port;
  if (components.size() > 1 && (components[1].name == "tcp" || components[1].name == "udp")) {
    port = components[1].value;
  }
  tls = tls || value_of(components, "https") || value_of(components, "tls");
  if (tls || !is_dns(protocol)) {
    out.push_back(make_endpoint(host, port, tls));
    return {};
  }
  TRY(const auto addresses, resolve(host, protocol));
  for (const std::string& resolved : addresses) {
    out.push_back(make_endpoint(resolved, port, false));
  }
  return {};
}

}  // namespace

Result<std::vector<Endpoint>> parse_hosts(std::string_view hosts, bool tls) {
  std::vector<Endpoint> out;
  for (;;) {
    const size_t comma = hosts.find(',');
    TRY(const auto address,
        Multiaddr::parse(hosts.substr(0, comma)).context("parsing host multiaddress"));
    TRY_VOID(add_host(address, tls, out));
    if (comma == std::string_view::npos) {
      return out;
    }
    hosts.remove_prefix(comma + 1);
  }
}

}  // namespace ica::ctl
