#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/cmd/command.h"

namespace ica::cmd {

// Help pages, laid out as those of ipfs-cluster-service.
std::string program_help(const std::string& program, const std::vector<Command>& commands,
                         std::span<const cli::FlagSpec> flags);
std::string group_help(const std::string& program, const std::string& group,
                       const std::vector<Command>& commands);
std::string command_help(const std::string& program, const Command& command);

}  // namespace ica::cmd
