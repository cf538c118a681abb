#include <fmt/format.h>

#include "agent/cmd/command.h"
#include "agent/config/identity.h"
#include "common/api/peer.h"
#include "common/base/build_info.h"
#include "common/base/file.h"

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

constexpr size_t kMaxSeedBytes = 4096;
constexpr size_t kMinSeedBytes = 32;
constexpr int64_t kMaxOrdinal = 1 << 20;
constexpr int64_t kMaxCount = 10000;

constexpr cli::FlagSpec kDeriveFlags[] = {
    {.names = "seed-file",
     .kind = cli::FlagKind::String,
     .usage = "file with the seed, at least 32 characters"},
    {.names = "salt",
     .kind = cli::FlagKind::String,
     .usage = "name that tells this set of identities from others of the seed"},
    {.names = "ordinal",
     .kind = cli::FlagKind::Int,
     .usage = "number of the first identity",
     .default_value = "0"},
    {.names = "count",
     .kind = cli::FlagKind::Int,
     .usage = "how many IDs to print",
     .default_value = "1"},
    {.names = "json", .usage = "print identity.json of one, with its private key"},
};

constexpr std::string_view kDeriveDescription = R"(
   Computes identities from a seed, so that they are known before their peers are there, for
   lists of trusted peers and of addresses elsewhere. The chart's identity.mode "derived" does
   this for the ordinal of each pod. Nothing is written anywhere.

   Who has the seed has all of the private keys. Do not take the cluster's secret for it.
)";

int run_derive(const Invocation& in) {
  const int64_t first = in.flags.number("ordinal");
  const int64_t count = in.flags.number("count");
  if (in.flags.text("seed-file").empty()) {
    fmt::print(stderr, "--seed-file is missing\n");
    return kUsage;
  }
  if (first < 0 || first > kMaxOrdinal || count < 1 || count > kMaxCount) {
    fmt::print(stderr, "--ordinal must be 0 to {}, --count 1 to {}\n", kMaxOrdinal, kMaxCount);
    return kUsage;
  }
  if (in.flags.on("json") && count != 1) {
    fmt::print(stderr, "--json prints one identity: leave --count out\n");
    return kUsage;
  }
  auto seed = read_file(in.flags.text("seed-file"), kMaxSeedBytes);
  if (!seed) {
    return report("reading the seed", seed.error());
  }
  // Most tools end a file with a line end.
  seed->erase(seed->find_last_not_of(" \t\r\n") + 1);
  if (seed->size() < kMinSeedBytes) {
    return report("reading the seed",
                  {Code::InvalidArgument,
                   fmt::format("it has {} characters, but needs {}", seed->size(), kMinSeedBytes)});
  }
  for (int64_t i = first; i < first + count; ++i) {
    const auto identity =
        config::Identity::derive(*seed, in.flags.text("salt"), static_cast<uint32_t>(i));
    if (in.flags.on("json")) {
      fmt::print("{}\n", config::to_json(identity));
    } else {
      fmt::print("{}\n", identity.id.text());
    }
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
    {.name = "identity derive",
     .usage = "Prints IDs that are computed from a seed",
     .description = kDeriveDescription,
     .args_usage = {},
     .flags = kDeriveFlags,
     .run = run_derive},
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
