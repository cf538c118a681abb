#include <fmt/format.h>

#include "agent/cmd/command.h"
#include "agent/config/identity.h"
#include "common/api/peer.h"
#include "common/base/build_info.h"

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

constexpr cli::FlagSpec kVersionFlags[] = {
    {.names = "build", .usage = "also print the version of this build", .extra = true},
};

int run_version(const Invocation& in) {
  fmt::print("{}\n", api::kReferenceVersion);
  if (in.flags.on("build")) {
    fmt::print("build {}\n", build_version());
  }
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
     .flags = kVersionFlags,
     .run = run_version},
};

}  // namespace

std::span<const Command> identity_commands() {
  return kCommands;
}

}  // namespace ica::cmd
