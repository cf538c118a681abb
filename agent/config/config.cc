#include "agent/config/config.h"

#include <climits>
#include <unistd.h>

namespace ica::config {
namespace {

Multiaddr address(std::string_view text) {
  auto parsed = Multiaddr::parse(text);
  ICA_ASSERT(parsed.has_value());
  return *parsed;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string();
}

}  // namespace

Cluster::Cluster()
    : peername(host_name()),
      listen_multiaddress{address("/ip4/0.0.0.0/tcp/9096"), address("/ip4/0.0.0.0/udp/9096/quic")} {
}

HttpApi::HttpApi(uint16_t port)
    : http_listen_multiaddress{address(fmt::format("/ip4/127.0.0.1/tcp/{}", port))} {}

IpfsProxy::IpfsProxy()
    : listen_multiaddress{address("/ip4/127.0.0.1/tcp/9095")},
      node_multiaddress(address("/ip4/127.0.0.1/tcp/5001")) {}

IpfsHttp::IpfsHttp() : node_multiaddress(address("/ip4/127.0.0.1/tcp/5001")) {}

Metrics::Metrics() : prometheus_endpoint(address("/ip4/127.0.0.1/tcp/8888")) {}

Tracing::Tracing() : jaeger_agent_endpoint(address("/ip4/0.0.0.0/udp/6831")) {}

Config::Config() : rest_api(9094), pinsvc_api(9097) {}

std::filesystem::path Config::resolve(const std::string& path) const {
  const std::filesystem::path given(path);
  return given.is_absolute() ? given : folder / given;
}

}  // namespace ica::config
