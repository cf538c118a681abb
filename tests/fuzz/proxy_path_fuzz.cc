// Arguments and paths of the IPFS proxy: an accepted path is clean, and accepted again as it is.
#include "agent/proxy/calls.h"
#include "tests/fuzz/fuzz.h"

ICA_FUZZ(ica::BytesView input) {
  if (const auto path = ica::proxy::read_path(input)) {
    ICA_ASSERT(path->starts_with("/ip"));
    ICA_ASSERT(path->find("//") == std::string::npos);
    const auto again = ica::proxy::read_path(*path);
    ICA_ASSERT(again.has_value() && *again == *path);
  }
  const auto route = ica::proxy::route_of("POST", input);
  ICA_ASSERT(route.arg.find('/') == std::string::npos);
  ICA_ASSERT(route.call != ica::proxy::Call::Other || route.arg.empty());
  (void)ica::proxy::error_json(input);
}
