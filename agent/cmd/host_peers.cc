#include "agent/cmd/host_peers.h"

namespace ica::cmd {

std::map<std::string, api::Bandwidth> HostPeers::bandwidth() const {
  std::map<std::string, api::Bandwidth> out;
  for (const auto& [protocol, traffic] : host_.bandwidth()) {
    out[protocol] = {.total_in = traffic.total_in,
                     .total_out = traffic.total_out,
                     .rate_in = traffic.rate_in,
                     .rate_out = traffic.rate_out};
  }
  return out;
}

}  // namespace ica::cmd
