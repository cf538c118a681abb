#include <fmt/format.h>

#include "agent/cmd/command.h"
#include "agent/config/identity.h"
#include "common/api/peer.h"

namespace ica::cmd {
namespace {

int run_id(const Invocation& in) {
  std::string notice;
  const auto identity = config::load_identity(in.folder, in.environment, notice);
  fmt::print(stderr, "{}", notice);
  if (!identity) {
    return report("loading identity", identity.error());
  }
  fmt::print("{}\n", identity->id.text());
  return kOk;
}

int run_version(const Invocation&) {
  fmt::print("{}\n", api::kReferenceVersion);
  return kOk;
}

constexpr Command kCommands[] = {
    {.name = "id",
     .usage = "Prints the ID of this peer",
     .description = {},
     .args_usage = {},
     .flags = {},
     .run = run_id},
    {.name = "version",
     .usage = "Prints the ipfs-cluster version",
     .description = {},
     .args_usage = {},
     .flags = {},
     .run = run_version},
};

}  // namespace

std::span<const Command> identity_commands() {
  return kCommands;
}

}  // namespace ica::cmd
