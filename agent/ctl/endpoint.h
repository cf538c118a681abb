#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace ica::ctl {

// One place where the API answers.
struct Endpoint {
  std::string shown;        // "http://127.0.0.1:9094" as messages have it
  std::string url;          // what requests go to
  std::string unix_socket;  // when it is one
  bool libp2p = false;      // a /p2p/ or /dnsaddr/ address: HTTP over libp2p
};

// Reads --host: multiaddresses separated by commas. Without TLS a name becomes one endpoint for
// each of its addresses (tried in turn); with TLS it stays, because the certificate is for the
// name. Blocks for the DNS lookup. Errors read on after "error ": "parsing host multiaddress: ...".
Result<std::vector<Endpoint>> parse_hosts(std::string_view hosts, bool tls);

}  // namespace ica::ctl
