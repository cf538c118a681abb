#include "agent/cmd/help.h"

#include <algorithm>
#include <fmt/format.h>

namespace ica::cmd {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string two_columns(const Rows& rows) {
  size_t width = 0;
  for (const auto& [left, right] : rows) {
    width = std::max(width, left.size());
  }
  std::string text;
  for (const auto& [left, right] : rows) {
    text += fmt::format("   {:<{}}  {}\n", left, width, right);
  }
  return text;
}

Rows flag_rows(std::span<const cli::FlagSpec> flags) {
  Rows rows;
  for (const auto& flag : flags) {
    std::string left;
    for (const auto name : cli::flag_names(flag)) {
      left += fmt::format("{}{}{}{}", left.empty() ? "" : ", ", name.size() == 1 ? "-" : "--", name,
                          flag.kind == cli::FlagKind::Bool ? "" : " value");
    }
    std::string right(flag.usage);
    if (!flag.default_value.empty()) {
      right += fmt::format(" (default: \"{}\")", flag.default_value);
    }
    if (!flag.env.empty()) {
      right += fmt::format(" [${}]", flag.env);
    }
    rows.emplace_back(std::move(left), std::move(right));
  }
  return rows;
}

constexpr std::string_view kDescription = R"(
   {0} runs a peer of an IPFS Cluster, beside one IPFS daemon. It takes part in the
   cluster's pinset, pins in its daemon what is allocated to it, and serves the cluster's
   REST API. It works with folders, settings and peers of ipfs-cluster-service.

   Make a configuration and an identity:

      $ {0} init

   Start the peer:

      $ {0} daemon

   Start it and join a cluster:

      $ {0} daemon --bootstrap /ip4/192.168.1.2/tcp/9096/p2p/12D3KooW...

   Log levels: one for everything, and others for single components:

      $ {0} --loglevel info,cluster:debug,pintracker:debug daemon
)";

}  // namespace

std::string program_help(const std::string& program, const std::vector<Command>& commands,
                         std::span<const cli::FlagSpec> flags) {
  Rows rows;
  for (const auto& command : commands) {
    rows.emplace_back(command.name, command.usage);
  }
  return fmt::format(
      "NAME:\n   {0} - IPFS Cluster peer\n\n"
      "USAGE:\n   {0} [global options] command [command options] [arguments...]\n\n"
      "DESCRIPTION:\n{1}\nCOMMANDS:\n{2}\nGLOBAL OPTIONS:\n{3}",
      program, fmt::format(fmt::runtime(kDescription), program), two_columns(rows),
      two_columns(flag_rows(flags)));
}

std::string group_help(const std::string& program, const std::string& group,
                       const std::vector<Command>& commands) {
  Rows rows;
  for (const auto& command : commands) {
    if (command.name.starts_with(group + " ")) {
      rows.emplace_back(command.name.substr(group.size() + 1), command.usage);
    }
  }
  return fmt::format("USAGE:\n   {} {} command [command options] [arguments...]\n\nCOMMANDS:\n{}",
                     program, group, two_columns(rows));
}

std::string command_help(const std::string& program, const Command& command) {
  const std::string usage =
      fmt::format("NAME:\n   {0} {1} - {2}\n\nUSAGE:\n   {0} {1}{3}{4}{5}\n", program, command.name,
                  command.usage, command.flags.empty() ? "" : " [command options]",
                  command.args_usage.empty() ? "" : " ", command.args_usage);
  const std::string description =
      command.description.empty() ? "" : fmt::format("\nDESCRIPTION:\n{}\n", command.description);
  return usage + description +
         (command.flags.empty()
              ? ""
              : fmt::format("\nOPTIONS:\n{}", two_columns(flag_rows(command.flags))));
}

}  // namespace ica::cmd
