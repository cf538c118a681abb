#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/ctl/session.h"

namespace ica::ctl {

struct KnownPeer {
  std::string id;
  std::string name;
};

struct FoundPeer {
  std::string id;
  int code = kExitOk;  // else the user has been told why, and this is the exit code
};

// A peer by its ID or by its name, which must be of one peer only.
FoundPeer choose_peer(Session& session, std::string_view name, std::span<const KnownPeer> known);
// The same, among those that the contacted peer sees.
Task<FoundPeer> find_peer(Session& session, std::string name);

}  // namespace ica::ctl
