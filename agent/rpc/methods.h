#pragma once

#include <span>
#include <string_view>

namespace ica::rpc {

// Who may call a method.
enum class Policy {
  Open,     // everybody who knows the cluster secret
  Trusted,  // trusted peers
  Closed,   // nobody from outside
};

// The reference's table of methods. Also those stand here that are not for other peers: refusing
// them is part of the protocol.
struct Method {
  std::string_view service;
  std::string_view name;
  Policy policy;
};
std::span<const Method> methods();

// Null when there is none of that name; `service_known` tells the two kinds of ignorance apart.
const Method* find_method(std::string_view service, std::string_view name, bool& service_known);

}  // namespace ica::rpc
