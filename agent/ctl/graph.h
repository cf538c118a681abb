#pragma once

#include <string>
#include <string_view>

namespace ica::ctl {

// The answer of GET /health/graph as Graphviz source, without a newline at its end, as the
// reference writes it. With `all_ipfs` also Kubo peers that no cluster peer uses become nodes.
std::string make_dot(std::string_view json, bool all_ipfs);

}  // namespace ica::ctl
